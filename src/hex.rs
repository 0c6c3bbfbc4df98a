//! Lower-case hex without a branch per digit: digests are a third of a receipt's bytes.

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Value of each byte as a hex digit, 0xff for what is none (upper case included).
const VALUES: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut at = 0_usize;
    while at < 256 {
        let byte = at as u8;
        #[expect(clippy::indexing_slicing, reason = "const evaluation: `at` is below 256")]
        {
            table[at] = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => 0xff,
            };
        }
        at += 1;
    }
    table
};

/// Appends `bytes` as hex.
pub(crate) fn push(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.chunks(32) {
        let mut digits = [0_u8; 64];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(chunk) {
            if let [high, low] = pair {
                *high = digit(byte >> 4);
                *low = digit(byte & 15);
            }
        }
        let used = digits.get(..chunk.len() * 2).unwrap_or_default();
        out.push_str(std::str::from_utf8(used).unwrap_or_default());
    }
}

/// Returns `bytes` as hex.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 2);
    push(&mut out, bytes);
    out
}

/// Parses exactly `2 * N` digits.
pub(crate) fn parse<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    if digits.len() != N * 2 {
        return None;
    }
    let mut out = [0; N];
    let mut seen = 0;
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        let (high, low) = (value(*high), value(*low));
        seen |= high | low;
        *byte = high << 4 | (low & 15);
    }
    (seen < 16).then_some(out)
}

fn digit(nibble: u8) -> u8 {
    DIGITS.get(usize::from(nibble & 15)).copied().unwrap_or_default()
}

fn value(digit: u8) -> u8 {
    VALUES.get(usize::from(digit)).copied().unwrap_or(0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_and_refuses_everything_else() {
        let all: Vec<u8> = (0..=255).collect();
        for size in [0, 1, 16, 31, 32, 33, 64, 256] {
            let bytes = &all[all.len() - size..];
            let written = text(bytes);
            assert_eq!(written, bytes.iter().map(|b| format!("{b:02x}")).collect::<String>());
        }
        assert_eq!(parse::<2>(b"00ff"), Some([0, 255]));
        for bad in ["", "00f", "00fff", "00fF", "00g0", "00 f", "0é0", "+0ff"] {
            assert_eq!(parse::<2>(bad.as_bytes()), None, "{bad}");
        }
    }
}
