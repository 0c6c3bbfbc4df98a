//! The value parser against `serde_json`, and against itself.

use super::check_message;
use crate::value::{JsonErrorKind, Limits, Value, from_slice};

/// Parses JSON: what is accepted means the same to `serde_json`, has one canonical text that parses
/// to the same value, and what only we refuse is refused for a reason that is ours.
pub fn json(data: &[u8]) {
    let ours = Value::parse(data, &Limits::DOCUMENT);
    let theirs = serde_json::from_slice::<serde_json::Value>(data);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => same(ours, theirs),
        // A `Decimal` has exponents that an `f64` has not.
        (Ok(_), Err(error)) => {
            assert!(error.to_string().contains("out of range"), "only we accept it: {error}");
        }
        (Err(error), Ok(_)) => assert!(
            matches!(
                error.kind(),
                JsonErrorKind::TooLong
                    | JsonErrorKind::TooDeep
                    | JsonErrorKind::TooManyValues
                    | JsonErrorKind::NumberDigits
                    | JsonErrorKind::NumberExponent
                    | JsonErrorKind::DuplicateKey
            ),
            "only we refuse it: {error}"
        ),
        (Err(_), Err(_)) => {}
    }
    match ours {
        Ok(value) => canonical(&value),
        Err(error) => check_message(&error),
    }
}

/// Asserts that the canonical text of `value` is one: it parses to `value` and is its own.
#[track_caller]
fn canonical(value: &Value) {
    // Escapes and exponents can make the canonical text longer than the one that was read.
    let limits = Limits { max_bytes: 8 << 20, ..Limits::DOCUMENT };
    let text = value.to_canonical();
    assert_eq!(Value::parse(text.as_bytes(), &limits).as_ref(), Ok(value), "{text}");
    assert_eq!(from_slice::<Value>(text.as_bytes(), &limits).as_ref(), Ok(value), "{text}");
    let tight = Value::parse(text.as_bytes(), &limits).map(|value| value.to_canonical());
    assert_eq!(tight.as_ref(), Ok(&text));
}

fn same(ours: &Value, theirs: &serde_json::Value) {
    use serde_json::Value as Theirs;

    match (ours, theirs) {
        (Value::Null, Theirs::Null) => {}
        (Value::Bool(one), Theirs::Bool(other)) => assert_eq!(one, other),
        (Value::String(one), Theirs::String(other)) => assert_eq!(one, other),
        (Value::Number(one), Theirs::Number(other)) => {
            if other.is_u64() || other.is_i64() {
                assert_eq!(one.to_string(), other.to_string());
            } else {
                let one: Option<f64> = one.to_string().parse().ok();
                let (one, other) = (one.unwrap_or(f64::NAN), other.as_f64().unwrap_or(f64::NAN));
                // `serde_json` is not exact in the last bits of a float.
                let close = (one - other).abs() <= one.abs() * 1e-14 + f64::MIN_POSITIVE;
                assert!(close, "{one} is not {other}");
            }
        }
        (Value::Array(one), Theirs::Array(other)) => {
            assert_eq!(one.len(), other.len());
            one.iter().zip(other).for_each(|(one, other)| same(one, other));
        }
        (Value::Object(one), Theirs::Object(other)) => {
            assert_eq!(one.len(), other.len());
            let keys: Vec<&str> = one.iter().map(|(key, _)| key).collect();
            assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
            for (key, value) in one.iter() {
                let other = other.get(key);
                assert!(other.is_some(), "`serde_json` has no member {key:?}");
                if let Some(other) = other {
                    same(value, other);
                }
            }
        }
        _ => assert_eq!(ours.to_canonical(), theirs.to_string(), "of different types"),
    }
}
