//! The one text of a value.

use super::{Object, Value};

/// Appends the canonical text of `value`; recurses as deep as the value is.
pub(super) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        // Writing to a `String` does not fail.
        Value::Number(number) => number.write(out).unwrap_or_default(),
        Value::String(text) => write_string(out, text),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Object(object) => write_object(object, out),
    }
}

/// Appends the canonical text of `object`.
pub(super) fn write_object(object: &Object, out: &mut String) {
    out.push('{');
    for (index, (key, value)) in object.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

/// Appends `text` to `out` as a JSON string, quoted and escaped.
///
/// The escapes are those of RFC 8785: `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, and four lower-case
/// hex digits for the other characters below U+0020. Everything else stands for itself.
pub fn write_string(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    loop {
        let (plain, tail) = rest.split_at_checked(plain_length(rest)).unwrap_or((rest, ""));
        out.push_str(plain);
        let mut tail = tail.chars();
        let Some(character) = tail.next() else {
            break;
        };
        write_escape(out, character);
        rest = tail.as_str();
    }
    out.push('"');
}

/// Counts the bytes before the first one that cannot stand for itself in a string: a quote, a
/// backslash or a control character.
pub(super) fn plain_length(text: &str) -> usize {
    let (words, rest) = text.as_bytes().as_chunks();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A borrow can raise false marks above a true one, never below: the lowest mark is right.
        let control = word.wrapping_sub(each_byte(0x20)) & !word;
        let quote = zero_bytes(word ^ each_byte(b'"'));
        let backslash = zero_bytes(word ^ each_byte(b'\\'));
        let marks = (control | quote | backslash) & each_byte(0x80);
        if marks != 0 {
            return index * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let escaped = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    let tail = rest.iter().position(escaped).unwrap_or(rest.len());
    words.len() * 8 + tail
}

/// Sets the top bit of each byte that is zero, and maybe of bytes above one.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(each_byte(1)) & !word
}

const fn each_byte(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

fn write_escape(out: &mut String, character: char) {
    let letter = match character {
        '"' | '\\' => character,
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{c}' => 'f',
        '\r' => 'r',
        _ => {
            let digit = |shift: u32| char::from_digit(u32::from(character) >> shift & 15, 16);
            out.push_str("\\u");
            out.extend([12, 8, 4, 0].into_iter().filter_map(digit));
            return;
        }
    };
    out.push('\\');
    out.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_rfc_8785_says() {
        fn check(text: &str, expected: &str) {
            let mut out = String::from("x");
            write_string(&mut out, text);
            assert_eq!(out, format!("x\"{expected}\""));
        }
        check("", "");
        check("plain é \u{7f} \u{2028} 😀 /", "plain é \u{7f} \u{2028} 😀 /");
        check("\"\\", r#"\"\\"#);
        check("a\u{8}\t\n\u{c}\rb", r"a\b\t\n\f\rb");
        check("\0\u{1f}\u{b}", r"\u0000\u001f\u000b");
        check("é\né", r"é\né");
    }

    #[test]
    fn every_byte_is_found_at_every_place() {
        for character in '\0'..='\u{ff}' {
            for place in 0..20 {
                let text = format!("{}{character}\u{1}x\"\u{80}", "é".repeat(place));
                let naive = text.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\');
                assert_eq!(Some(plain_length(&text)), naive, "{text:?}");
            }
        }
        assert_eq!(plain_length("é !#[]\u{7f}éé"), "é !#[]\u{7f}éé".len());
    }
}
