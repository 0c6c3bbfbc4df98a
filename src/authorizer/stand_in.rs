//! What stands on record for a text that is too long, or that could not be read: its length and its digest.

use crate::digest::Digest;
use crate::value::Value;

/// Writes what stands for `text`, whose digest is made under `context`, as canonical JSON.
pub(crate) fn write(context: &str, text: &[u8]) -> String {
    let digest = Digest::of(context, text);
    format!("{{\"bytes\":{},\"digest\":\"{digest}\"}}", text.len())
}

/// Reads how long the text was, in bytes; none where `value` stands for no text.
pub(crate) fn length(value: &Value) -> Option<u64> {
    let members = value.as_object()?;
    let digest = members.get("digest").and_then(Value::as_str);
    let bytes = members.get("bytes").and_then(Value::as_number)?.to_u64();
    bytes.filter(|_| members.len() == 2 && digest.and_then(Digest::parse_hex).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Limits;

    #[test]
    fn what_stands_for_a_text_says_how_long_it_was() {
        let value = |text: &str| Value::parse(text.as_bytes(), &Limits::DOCUMENT).unwrap();
        let text = write("countersign test", b"four");
        assert_eq!(value(&text).to_canonical(), text);
        assert_eq!(length(&value(&text)), Some(4));
        let other = |from: &str, to: &str| length(&value(&text.replacen(from, to, 1)));
        assert_eq!(other(":4", ":-4"), None);
        assert_eq!(other(":4", ":\"4\""), None);
        assert_eq!(other("{", "{\"a\":1,"), None);
        assert_eq!(other("digest", "digests"), None);
        assert_eq!(other("\"}", "0\"}"), None);
        assert_eq!(length(&value("[]")), None);
    }
}
