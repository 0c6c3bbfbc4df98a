//! Which characters a reader can see: paths and hosts hold no others.

use std::fmt::Write as _;

/// The longest piece of input that an error message quotes, in characters.
const MAX_EXCERPT_CHARS: usize = 80;

/// Refuses text that a reader would not see as it is, and returns the first such character.
///
/// These are control characters, characters that turn the writing direction, characters without
/// a shape of their own, white space other than the ASCII space, and non-characters.
pub(crate) fn check_visible(text: &str) -> Result<(), char> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(());
    }
    text.chars().find(|&c| is_hidden(c)).map_or(Ok(()), Err)
}

/// Matches one segment; `*` stands for any bytes. Both are UTF-8, so characters are never cut.
pub(crate) fn glob(pattern: &[u8], text: &[u8], step: &mut impl FnMut()) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    let mut back: Option<(&[u8], &[u8])> = None;
    loop {
        step();
        match (pattern.split_first(), text.split_first()) {
            (Some((b'*', after)), _) => {
                back = Some((after, text));
                pattern = after;
            }
            (Some((expected, after)), Some((found, rest))) if expected == found => {
                (pattern, text) = (after, rest);
            }
            (None, None) => return true,
            _ => {
                let Some((after, [_, rest @ ..])) = back else { return false };
                back = Some((after, rest));
                (pattern, text) = (after, rest);
            }
        }
    }
}

/// Writes what [`check_visible`] refuses as `\u{202e}` and a backslash as two, so that no two
/// texts look alike.
pub(crate) fn escape_visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_escaped(&mut out, c);
    }
    out
}

/// Prepares input for a message in backticks: escaped, and cut after 80 characters.
pub(crate) fn excerpt(text: &str) -> String {
    let (start, dots) = match text.char_indices().nth(MAX_EXCERPT_CHARS) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), "…"),
        None => (text, ""),
    };
    escape_visible(start).replace('`', "\\u{60}") + dots
}

/// What an error of a library says, which may quote its input as it is.
pub(crate) fn said(error: &impl std::fmt::Display) -> String {
    escape_visible(&error.to_string())
}

fn push_escaped(out: &mut String, c: char) {
    if c == '\\' {
        out.push_str("\\\\");
    } else if is_hidden(c) {
        // Writing to a `String` does not fail.
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    } else {
        out.push(c);
    }
}

/// Tells whether [`check_visible`] refuses `c`.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || (!c.is_ascii() && (c.is_whitespace() || is_shapeless(c) || is_noncharacter(c)))
}

/// Characters that are drawn as nothing or only change how others are drawn: Unicode's
/// `Default_Ignorable_Code_Point`, the format characters beside it, and two blanks.
fn is_shapeless(c: char) -> bool {
    matches!(c,
        '\u{00AD}'                  // soft hyphen
        | '\u{034F}'                // combining grapheme joiner
        | '\u{061C}'                // Arabic letter mark
        | '\u{115F}'..='\u{1160}'   // Hangul fillers
        | '\u{17B4}'..='\u{17B5}'   // Khmer inherent vowels
        | '\u{180B}'..='\u{180F}'   // Mongolian variation selectors and vowel separator
        | '\u{200B}'..='\u{200F}'   // zero-width space and joiners, direction marks
        | '\u{202A}'..='\u{202E}'   // direction embeddings and overrides
        | '\u{2060}'..='\u{206F}'   // word joiner, invisible operators, direction isolates
        | '\u{2800}'                // blank Braille pattern
        | '\u{3164}'                // Hangul filler
        | '\u{FE00}'..='\u{FE0F}'   // variation selectors
        | '\u{FEFF}'                // byte order mark
        | '\u{FFA0}'                // halfwidth Hangul filler
        | '\u{FFF0}'..='\u{FFFB}'   // unassigned ignorables, interlinear annotation
        | '\u{1BCA0}'..='\u{1BCA3}' // shorthand format controls
        | '\u{1D173}'..='\u{1D17A}' // musical format controls
        | '\u{E0000}'..='\u{E0FFF}' // tags and more variation selectors
    )
}

fn is_noncharacter(c: char) -> bool {
    let code = u32::from(c);
    matches!(code, 0xFDD0..=0xFDEF) || code & 0xFFFE == 0xFFFE
}

/// Whether parsers agree on where the host of `url` stands: one `scheme://`, then the authority, no
/// user information, no backslash, no blank.
///
/// The WHATWG parser reads `https:/a`, `https:\\\\a` and `https:///a` as `https://a`, others do not;
/// and some take what stands before an `@` anywhere for a user.
pub(crate) fn is_plain_url(url: &str) -> bool {
    let before = url.split(['?', '#']).next().unwrap_or_default();
    before.split_once("://").is_some_and(|(scheme, rest)| {
        scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
            && !rest.starts_with('/')
            && !rest.contains('@')
    }) && !url.contains('\\')
        && !url.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hidden_character_is_found() {
        for c in [
            '\0',
            '\t',
            '\n',
            '\r',
            '\u{7f}',
            '\u{80}',
            '\u{85}',
            '\u{9b}',
            '\u{a0}',
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{1680}',
            '\u{180e}',
            '\u{2003}',
            '\u{200b}',
            '\u{200d}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{202f}',
            '\u{205f}',
            '\u{2060}',
            '\u{2066}',
            '\u{206f}',
            '\u{3000}',
            '\u{3164}',
            '\u{fdd0}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff9}',
            '\u{fffb}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{10ffff}',
            '\u{e0000}',
            '\u{e007f}',
            '\u{e0100}',
            '\u{e01ef}',
        ] {
            assert_eq!(check_visible(&format!("a{c}b")), Err(c), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn ordinary_text_passes() {
        for text in ["", " ", "/srv/web", "naïve", "Ünïcödé", "日本語", "файл", "ไทย", "🦀", "a~b"]
        {
            assert_eq!(check_visible(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn escapes_show_what_is_hidden() {
        let check = |text: &str, expected: &str| assert_eq!(escape_visible(text), expected);
        check("plain é", "plain é");
        check("a\u{202e}b", "a\\u{202e}b");
        check("a\nb\0", "a\\u{a}b\\u{0}");
        check("a\\u{a}", "a\\\\u{a}");
        assert_eq!(excerpt("a`b"), "a\\u{60}b");
        assert_eq!(excerpt(&"é".repeat(81)), format!("{}…", "é".repeat(80)));
        assert_eq!(excerpt(&"é".repeat(80)), "é".repeat(80));
    }

    #[test]
    fn what_others_say_is_escaped() {
        assert_eq!(said(&"unexpected `\n\u{202e}`"), "unexpected `\\u{a}\\u{202e}`");
    }
}
