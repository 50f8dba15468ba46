//! Names of types, as short as they may be.

use super::{Printer, Style};

/// How much of a name has to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// What tells it apart where it stands.
    Needed,
    /// The enclosing message too: options of a message that are declared in it.
    Enclosing,
    /// All but the package: extensions in option values.
    AllButPackage,
}

impl Printer<'_> {
    /// The name of a type or an extension, as it is written within `scope`.
    pub(super) fn name(&self, full: &str, scope: &str, keep: Keep) -> String {
        let full = full.trim_start_matches('.');
        if self.style == Style::Shown {
            return format!(".{full}");
        }
        relative(full, scope, &self.package, keep)
    }
}

fn relative(full: &str, scope: &str, package: &str, keep: Keep) -> String {
    let mut scope = if keep == Keep::AllButPackage { package } else { scope };
    let required = usize::from(keep == Keep::Enclosing);
    let mut outward = 0;
    while !scope.is_empty() {
        if let Some(rest) = full.strip_prefix(scope).and_then(|rest| rest.strip_prefix('.'))
            && outward >= required
        {
            return rest.to_owned();
        }
        if scope == package {
            break;
        }
        scope = scope.rsplit_once('.').map_or("", |(outer, _)| outer);
        outward += 1;
    }
    full.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_they_share_with_their_place() {
        for (full, scope, keep, want) in [
            ("p.q.A", "p.q.B", Keep::Needed, "A"),
            ("p.q.A.B", "p.q.A", Keep::Needed, "B"),
            ("p.q.A.B", "p.q.C", Keep::Needed, "A.B"),
            ("p.r.A", "p.q.C", Keep::Needed, "p.r.A"), // what lies outside of the package is whole
            ("p.q.A.x", "p.q.A", Keep::Enclosing, "A.x"),
            ("p.q.A.x", "p.q.A", Keep::AllButPackage, "A.x"),
        ] {
            assert_eq!(relative(full, scope, "p.q", keep), want, "{full} in {scope}");
        }
        assert_eq!(relative("A", "B", "", Keep::Needed), "A");
    }
}
