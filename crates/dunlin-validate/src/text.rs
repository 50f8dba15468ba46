//! Numbers in the messages of violations.

/// A double as the shortest decimals that read back as the same, without an exponent.
pub(crate) fn double(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    value.to_string()
}

/// `[a, b]`.
pub(crate) fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    let items: Vec<_> = items.iter().map(show).collect();
    format!("[{}]", items.join(", "))
}
