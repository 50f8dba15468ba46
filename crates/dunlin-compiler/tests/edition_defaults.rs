//! The features of each edition where nothing is set, and which of them can be set at all:
//! `corpora/edition_defaults.txt`.

use std::collections::BTreeMap;
use std::path::Path;

use dunlin_compiler::Compiler;
use dunlin_compiler::loader::Sources;
use dunlin_protobuf::descriptor::Edition;
use dunlin_protobuf::pool::Features;

/// Edition to feature to default, as the table writes it.
fn table() -> BTreeMap<String, BTreeMap<String, String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../corpora/edition_defaults.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut rows = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<String>>());
    let editions = rows.next().expect("the table has a head");
    let mut table = BTreeMap::<_, BTreeMap<_, _>>::new();
    for row in rows {
        for (edition, value) in editions.iter().zip(&row).skip(1) {
            table.entry(edition.clone()).or_default().insert(row[0].clone(), value.clone());
        }
    }
    assert_eq!(table.len(), 5);
    table
}

fn edition(name: &str) -> Edition {
    match name {
        "PROTO2" => Edition::EDITION_PROTO2,
        "PROTO3" => Edition::EDITION_PROTO3,
        "2023" => Edition::EDITION_2023,
        "2024" => Edition::EDITION_2024,
        "2026" => Edition::EDITION_2026,
        other => panic!("no edition {other}"),
    }
}

fn first_statement(edition: &str) -> String {
    match edition {
        "PROTO2" | "PROTO3" => format!("syntax = \"{}\";", edition.to_lowercase()),
        _ => format!("edition = \"{edition}\";"),
    }
}

fn names(features: Features) -> BTreeMap<String, String> {
    macro_rules! names {
        ($($feature:ident),*) => {
            [$((stringify!($feature), features.$feature.name().unwrap_or("?"))),*]
        };
    }
    names!(
        field_presence,
        enum_type,
        repeated_field_encoding,
        utf8_validation,
        message_encoding,
        json_format,
        enforce_naming_style,
        default_symbol_visibility,
        enforce_proto_limits
    )
    .map(|(feature, value)| (feature.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn every_edition_has_the_defaults_of_the_table() {
    for (name, row) in table() {
        let wanted: BTreeMap<String, String> = row
            .into_iter()
            .map(|(feature, value)| (feature, value.trim_end_matches('!').to_owned()))
            .collect();
        let defaults = Features::defaults(edition(&name)).expect("the edition exists");
        assert_eq!(names(defaults), wanted, "{name}");

        let sources = Sources::new().file("a.proto", first_statement(&name));
        let compilation = Compiler::new(sources).compile(["a.proto"]).unwrap();
        let file = compilation.pool().files().next().unwrap();
        assert_eq!(file.edition(), edition(&name));
        assert_eq!(names(file.features()), wanted, "a file of {name}");
    }
}

#[test]
fn editions_that_do_not_exist_have_no_defaults() {
    for edition in [Edition::EDITION_UNKNOWN, Edition(1003), Edition::EDITION_MAX] {
        assert_eq!(Features::defaults(edition), None, "{edition:?}");
    }
}

#[test]
fn features_can_be_set_unless_the_edition_fixes_them() {
    let mut wrong = Vec::new();
    for (edition, row) in table() {
        for (feature, value) in row {
            let option = format!("option features.{feature} = {};", value.trim_end_matches('!'));
            // The one feature that files do not take.
            let body = match feature.as_str() {
                "enforce_proto_limits" => format!("message M {{ {option} }}"),
                _ => option,
            };
            let text = format!("{} {body}", first_statement(&edition));
            let is_accepted =
                Compiler::new(Sources::new().file("a.proto", text.as_str())).compile(["a.proto"]).is_ok();
            if is_accepted == value.ends_with('!') {
                wrong.push(format!("{}: {text}", if is_accepted { "accepted" } else { "rejected" }));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
