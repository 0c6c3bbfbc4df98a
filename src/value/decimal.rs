//! Exact decimal numbers: what JSON writes, without the rounding of binary floats.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// An exact decimal number: a coefficient of at most 34 digits times a power of ten.
///
/// Two numbers that are equal have the same representation, hash and text: `1.50`, `1.5` and
/// `15e-1` are one number, and `-0` is `0`. A number that would need more digits or a larger
/// exponent is refused, never rounded.
///
/// # Examples
///
/// ```
/// use countersign::value::Decimal;
///
/// let price: Decimal = "19.90".parse()?;
/// assert_eq!(price.to_string(), "19.9");
/// assert!(price < "2e1".parse()?);
/// # Ok::<(), countersign::value::DecimalError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    // INVARIANT: the coefficient `high · 2^64 + low` is below 10^34 in magnitude and no multiple of
    // ten, or it is zero and so is the exponent: derived `Eq` and `Hash` are numeric.
    // Two halves instead of one `i128` keep the alignment at 8 and a `Value` at 32 bytes.
    high: i64,
    low: u64,
    exponent: i16,
}

impl Decimal {
    /// The number zero.
    pub const ZERO: Self = Self { high: 0, low: 0, exponent: 0 };

    /// The largest number of significant digits.
    pub const MAX_DIGITS: u32 = 34;

    /// The largest power of ten, in either direction; every finite `f64` lies well inside.
    pub const MAX_EXPONENT: i16 = 999;

    /// Makes `coefficient × 10^exponent`.
    ///
    /// # Errors
    ///
    /// Returns [`DecimalError`] if the number has too many digits or too large an exponent once
    /// its trailing zeros are moved into the exponent.
    pub fn try_new(coefficient: i128, exponent: i16) -> Result<Self, DecimalError> {
        if let Ok(small) = u64::try_from(coefficient.unsigned_abs()) {
            return Self::from_small(coefficient < 0, small, i64::from(exponent));
        }
        let (mut coefficient, mut exponent) = (coefficient, i64::from(exponent));
        while coefficient % 10 == 0 {
            coefficient /= 10;
            exponent += 1;
        }
        Self::from_normal(coefficient, exponent)
    }

    /// Parses the JSON number grammar, which allows no sign `+`, no leading zeros and no bare dot.
    ///
    /// Takes time linear in the text whatever its exponent says.
    ///
    /// # Errors
    ///
    /// Returns [`DecimalError`] for anything else, and for a number that cannot be held exactly.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        match Self::scan(text.as_bytes()) {
            Ok((number, length)) if length == text.len() => Ok(number),
            Ok(_) => Err(DecimalError::Grammar),
            Err((error, _)) => Err(error),
        }
    }

    /// Returns the digits as a signed integer, without trailing zeros.
    #[must_use]
    pub const fn coefficient(&self) -> i128 {
        ((self.high as i128) << 64) | self.low as i128
    }

    /// Returns the power of ten that the coefficient is multiplied by.
    #[must_use]
    pub const fn exponent(&self) -> i16 {
        self.exponent
    }

    /// Reports whether the number is below zero.
    #[must_use]
    pub const fn is_negative(&self) -> bool {
        self.high < 0
    }

    /// Reports whether the number has no fraction.
    #[must_use]
    pub const fn is_integer(&self) -> bool {
        self.exponent >= 0
    }

    /// Returns the number if it is an integer that an `i64` holds.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        self.to_i128()?.try_into().ok()
    }

    /// Returns the number if it is an integer that a `u64` holds.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        self.to_i128()?.try_into().ok()
    }

    /// Adds exactly, or returns `None` where the sum needs more digits or a larger exponent.
    #[must_use]
    pub fn checked_add(&self, other: &Self) -> Option<Self> {
        if *self == Self::ZERO {
            return Some(*other);
        }
        if *other == Self::ZERO {
            return Some(*self);
        }
        let (upper, lower) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        // An overflow here is no lost answer: with different exponents the last digit of `lower`
        // stays, so the sum would need about 38 digits.
        let shift = u32::try_from(upper.exponent - lower.exponent).ok()?;
        let scaled = upper.coefficient().checked_mul(power_of_ten(shift)?)?;
        let sum = scaled.checked_add(lower.coefficient())?;
        Self::try_new(sum, lower.exponent).ok()
    }

    /// Writes the number as Cedar's `decimal` reads it: one to four digits after the point.
    ///
    /// Returns `None` if it needs more than four, or lies outside
    /// −922337203685477.5808 ..= 922337203685477.5807.
    #[must_use]
    pub fn to_fixed4(&self) -> Option<String> {
        let shift = u32::try_from(self.exponent.checked_add(4)?).ok()?;
        let scaled = self.coefficient().checked_mul(power_of_ten(shift)?)?;
        let magnitude = i64::try_from(scaled).ok()?.unsigned_abs();
        let sign = if scaled < 0 { "-" } else { "" };
        let mut text = format!("{sign}{}.{:04}", magnitude / 10_000, magnitude % 10_000);
        while text.ends_with('0') && !text.ends_with(".0") {
            text.pop();
        }
        Some(text)
    }

    /// Returns the number if it is an integer that an `i128` holds.
    pub(super) fn to_i128(self) -> Option<i128> {
        let shift = u32::try_from(self.exponent).ok()?;
        self.coefficient().checked_mul(power_of_ten(shift)?)
    }

    /// Reads the shortest text that stands for `float`; `None` if it is not finite.
    pub(super) fn from_shortest(float: f64) -> Option<Self> {
        Self::parse(&format!("{float:e}")).ok()
    }

    /// Returns the `f64` whose shortest text is this very number.
    pub(super) fn to_shortest(self) -> Option<f64> {
        let float: f64 = self.to_string().parse().ok()?;
        (Self::from_shortest(float)? == self).then_some(float)
    }

    /// Counts the significant digits; zero has one.
    pub(super) fn digits(self) -> u32 {
        digits(self.coefficient().unsigned_abs())
    }

    /// Reads the number that `bytes` start with, and says how many bytes it takes.
    ///
    /// An error comes with the place where it was found.
    pub(super) fn scan(bytes: &[u8]) -> Result<(Self, usize), (DecimalError, usize)> {
        let negative = bytes.first() == Some(&b'-');
        let start = usize::from(negative);
        let whole = digit_run(bytes, start);
        let mut at = start + whole.len();
        if whole.is_empty() || (whole.first() == Some(&b'0') && whole.len() > 1) {
            return Err((DecimalError::Grammar, start));
        }
        let mut fraction: &[u8] = &[];
        if bytes.get(at) == Some(&b'.') {
            fraction = digit_run(bytes, at + 1);
            at += 1 + fraction.len();
            if fraction.is_empty() {
                return Err((DecimalError::Grammar, at));
            }
        }
        let mut power = 0;
        if let Some(b'e' | b'E') = bytes.get(at) {
            let sign = bytes.get(at + 1).copied();
            at += 1 + usize::from(matches!(sign, Some(b'+' | b'-')));
            let run = digit_run(bytes, at);
            if run.is_empty() {
                return Err((DecimalError::Grammar, at));
            }
            at += run.len();
            power = run.iter().fold(0_i64, |value, digit| {
                (value * 10 + i64::from(digit - b'0')).min(POWER_CEILING)
            });
            if sign == Some(b'-') {
                power = -power;
            }
        }
        match Self::assemble(negative, whole, fraction, power) {
            Ok(number) => Ok((number, at)),
            Err(error) => Err((error, start)),
        }
    }

    /// Makes the number `whole.fraction × 10^power` of two runs of digits.
    fn assemble(
        negative: bool,
        whole: &[u8],
        fraction: &[u8],
        power: i64,
    ) -> Result<Self, DecimalError> {
        let places = i64::try_from(fraction.len()).map_err(|_| DecimalError::Exponent)?;
        let exponent = power.saturating_sub(places);
        if whole.len() + fraction.len() <= SMALL_DIGITS {
            // Nearly every number is this short and needs no wide arithmetic.
            let value = whole.iter().chain(fraction);
            let value = value.fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
            return Self::from_small(negative, value, exponent);
        }
        let mut significand = Significand::default();
        significand.extend(whole)?;
        significand.extend(fraction)?;
        let coefficient = i128::try_from(significand.value).map_err(|_| DecimalError::Digits)?;
        Self::from_normal(
            if negative { -coefficient } else { coefficient },
            exponent.saturating_add(significand.zeros),
        )
    }

    fn from_small(negative: bool, magnitude: u64, exponent: i64) -> Result<Self, DecimalError> {
        let (mut magnitude, mut exponent) = (magnitude, exponent);
        while magnitude != 0 && magnitude.is_multiple_of(10) {
            magnitude /= 10;
            exponent += 1;
        }
        let coefficient = i128::from(magnitude);
        Self::from_normal(if negative { -coefficient } else { coefficient }, exponent)
    }

    /// Makes a number of a coefficient that is zero or no multiple of ten.
    fn from_normal(coefficient: i128, exponent: i64) -> Result<Self, DecimalError> {
        if coefficient == 0 {
            return Ok(Self::ZERO);
        }
        if coefficient.unsigned_abs() >= COEFFICIENT_END {
            return Err(DecimalError::Digits);
        }
        let exponent = i16::try_from(exponent)
            .ok()
            .filter(|exponent| exponent.unsigned_abs() <= Self::MAX_EXPONENT.unsigned_abs())
            .ok_or(DecimalError::Exponent)?;
        Ok(Self { high: (coefficient >> 64) as i64, low: coefficient as u64, exponent })
    }

    /// Writes the canonical text; see [`Display`](fmt::Display).
    pub(super) fn write(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let coefficient = self.coefficient();
        if self.exponent == 0 {
            return match i64::try_from(coefficient) {
                Ok(small) => write!(out, "{small}"),
                Err(_) => write!(out, "{coefficient}"),
            };
        }
        if coefficient < 0 {
            out.write_char('-')?;
        }
        let digits = coefficient.unsigned_abs().to_string();
        let places = usize::from(self.exponent.unsigned_abs());
        if places > PLAIN_EXPONENT {
            let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
            let point = if rest.is_empty() { "" } else { "." };
            let power = i32::from(self.exponent) + i32::try_from(rest.len()).unwrap_or(0);
            return write!(out, "{first}{point}{rest}E{power:+}");
        }
        if self.exponent > 0 {
            return write!(out, "{digits}{:0<places$}", "");
        }
        match digits.len().checked_sub(places) {
            Some(whole) if whole > 0 => {
                let (whole, fraction) = digits.split_at_checked(whole).unwrap_or((&digits, "0"));
                write!(out, "{whole}.{fraction}")
            }
            _ => write!(out, "0.{digits:0>places$}"),
        }
    }
}

/// Writes the canonical text: plain digits where the exponent lies in −34..=34, otherwise one
/// digit, the rest after a point, and a signed power (`1.5E+40`).
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text)
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        // 19 digits and at most 19 trailing zeros are always within the bounds.
        Self::from_small(value < 0, value.unsigned_abs(), 0).unwrap_or(Self::ZERO)
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        // 20 digits and at most 19 trailing zeros are always within the bounds.
        Self::from_small(false, value, 0).unwrap_or(Self::ZERO)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.coefficient(), other.coefficient());
        let signs = left.signum().cmp(&right.signum());
        if signs.is_ne() || left == 0 {
            return signs;
        }
        let size = |number: &Self| number.digits() as i32 + i32::from(number.exponent);
        let sizes = size(self).cmp(&size(other));
        if sizes.is_ne() {
            return if left < 0 { sizes.reverse() } else { sizes };
        }
        // Both have their first digit at the same place, so the exponents are at most 33 apart and
        // the scaled coefficient has no more digits than the other one.
        let scale = |coefficient: i128, shift: i16| {
            let power = power_of_ten(u32::try_from(shift).unwrap_or(0)).unwrap_or(1);
            coefficient.saturating_mul(power)
        };
        let gap = self.exponent - other.exponent;
        scale(left, gap).cmp(&scale(right, -gap))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Why a text or a pair of integers is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecimalError {
    /// The text does not follow the JSON number grammar.
    #[error("not a JSON number")]
    Grammar,
    /// The number has more significant digits than [`Decimal::MAX_DIGITS`].
    #[error("number has more than 34 significant digits")]
    Digits,
    /// The power of ten is beyond [`Decimal::MAX_EXPONENT`].
    #[error("number has an exponent beyond 999")]
    Exponent,
}

/// Digits collected from a text, with trailing zeros held back until another digit follows.
#[derive(Default)]
struct Significand {
    value: u128,
    count: u32,
    zeros: i64,
}

impl Significand {
    fn extend(&mut self, digits: &[u8]) -> Result<(), DecimalError> {
        for digit in digits {
            if *digit == b'0' {
                self.zeros += i64::from(self.count > 0);
                continue;
            }
            let step = u32::try_from(self.zeros + 1).map_err(|_| DecimalError::Digits)?;
            self.count = self.count.saturating_add(step);
            if self.count > Decimal::MAX_DIGITS {
                return Err(DecimalError::Digits);
            }
            let shift = if step == 1 { 10 } else { 10_u128.pow(step) };
            self.value = self.value * shift + u128::from(digit - b'0');
            self.zeros = 0;
        }
        Ok(())
    }
}

/// Returns the digits that stand at `at`.
fn digit_run(bytes: &[u8], at: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..length).unwrap_or_default()
}

fn digits(magnitude: u128) -> u32 {
    magnitude.checked_ilog10().map_or(1, |log| log + 1)
}

fn power_of_ten(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

/// One more than the largest coefficient.
const COEFFICIENT_END: u128 = 10_u128.pow(Decimal::MAX_DIGITS);
/// So many digits fit a `u64` whatever they are.
const SMALL_DIGITS: usize = 18;
/// The largest exponent, in either direction, that is written out in plain digits.
const PLAIN_EXPONENT: usize = 34;
/// Written exponents stop counting here: far above any text's length, far below overflow.
const POWER_CEILING: i64 = 1 << 50;

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn text_is_canonical() {
        fn check(text: &str, expected: &str) {
            assert_eq!(decimal(text).to_string(), expected, "{text}");
            assert_eq!(decimal(expected), decimal(text), "{text}");
        }
        check("0", "0");
        check("-0", "0");
        check("-0.000e7", "0");
        check("0e999999999", "0");
        check("0.0e-99999999999999999999999999", "0");
        check("1.50", "1.5");
        check("15e-1", "1.5");
        check("1500", "1500");
        check("-1.5E3", "-1500");
        check("0.1234567890123456789", "0.1234567890123456789");
        check("123.456", "123.456");
        check("0.05", "0.05");
        check("1e-34", "0.0000000000000000000000000000000001");
        check("1e-35", "1E-35");
        check("-12e-35", "-1.2E-34");
        check("1e34", "10000000000000000000000000000000000");
        check("1e35", "1E+35");
        check("15e39", "1.5E+40");
        check("1e999", "1E+999");
        check("1e-999", "1E-999");
        check("0.00001e1004", "1E+999");
        check("1234567890123456789012345678901234", "1234567890123456789012345678901234");
        check("12345678901234567890123456789012340000", "12345678901234567890123456789012340000");
        check("9223372036854775807", "9223372036854775807");
        check(
            "-170141183460469231731687303715884000000",
            "-170141183460469231731687303715884000000",
        );
    }

    #[test]
    fn what_cannot_be_held_is_refused() {
        fn check(text: &str, expected: DecimalError) {
            assert_eq!(Decimal::parse(text), Err(expected), "{text}");
        }
        for text in [
            "", "-", "+1", "01", "-01", "00", "1.", ".5", "-.5", "1e", "1e+", "1E-", "1.e1", "NaN",
            "Infinity", "0x1", "1_000", " 1", "1 ", "1.5.5", "1e1.5", "--1", "１",
        ] {
            check(text, DecimalError::Grammar);
        }
        check("12345678901234567890123456789012345", DecimalError::Digits);
        check("1.0000000000000000000000000000000001", DecimalError::Digits);
        check("1e1000", DecimalError::Exponent);
        check("10e999", DecimalError::Exponent);
        check("1e-1000", DecimalError::Exponent);
        check("1e999999999", DecimalError::Exponent);
        check("1e-99999999999999999999999999999999", DecimalError::Exponent);
        let zeros = "0".repeat(100_000);
        check(&format!("1{zeros}"), DecimalError::Exponent);
        check(&format!("1{zeros}1"), DecimalError::Digits);
        check(&format!("0.{zeros}1"), DecimalError::Exponent);
        assert_eq!(decimal(&format!("1{zeros}e-100000")), decimal("1"));
        assert_eq!(decimal(&format!("0.{zeros}1e100001")), decimal("1"));
        assert_eq!(Decimal::try_new(i128::MAX, 0), Err(DecimalError::Digits));
        assert_eq!(Decimal::try_new(i128::MIN, 0), Err(DecimalError::Digits));
        assert_eq!(Decimal::try_new(10, 999), Err(DecimalError::Exponent));
        assert_eq!(Decimal::try_new(10, -1000), Ok(decimal("1e-999")));
        assert_eq!(Decimal::try_new(10_i128.pow(38), i16::MIN), Err(DecimalError::Exponent));
        assert_eq!(Decimal::try_new(0, i16::MAX), Ok(Decimal::ZERO));
    }

    #[test]
    fn integers_convert() {
        fn check(text: &str, signed: Option<i64>, unsigned: Option<u64>) {
            assert_eq!(decimal(text).to_i64(), signed, "{text}");
            assert_eq!(decimal(text).to_u64(), unsigned, "{text}");
        }
        check("0", Some(0), Some(0));
        check("1e3", Some(1000), Some(1000));
        check("-7", Some(-7), None);
        check("0.5", None, None);
        check("1e999", None, None);
        check("9223372036854775807", Some(i64::MAX), Some(i64::MAX as u64));
        check("9223372036854775808", None, Some(1 << 63));
        check("-9223372036854775808", Some(i64::MIN), None);
        check("-9223372036854775809", None, None);
        check("18446744073709551615", None, Some(u64::MAX));
        check("18446744073709551616", None, None);
        assert_eq!(Decimal::from(i64::MIN).to_i64(), Some(i64::MIN));
        assert_eq!(Decimal::from(u64::MAX).to_u64(), Some(u64::MAX));
        assert_eq!(Decimal::from(10_000_000_000_000_000_000_u64), decimal("1e19"));
        assert!(decimal("-1e-999").is_negative() && !Decimal::ZERO.is_negative());
        assert!(decimal("1e2").is_integer() && !decimal("1e-2").is_integer());
    }

    #[test]
    fn cedar_text_is_exact_or_absent() {
        fn check(text: &str, expected: Option<&str>) {
            assert_eq!(decimal(text).to_fixed4().as_deref(), expected, "{text}");
        }
        check("0", Some("0.0"));
        check("5", Some("5.0"));
        check("-5", Some("-5.0"));
        check("100", Some("100.0"));
        check("1.25", Some("1.25"));
        check("-0.5", Some("-0.5"));
        check("-0.0001", Some("-0.0001"));
        check("0.00010", Some("0.0001"));
        check("0.00001", None);
        check("922337203685477.5807", Some("922337203685477.5807"));
        check("922337203685477.5808", None);
        check("-922337203685477.5808", Some("-922337203685477.5808"));
        check("-922337203685477.5809", None);
        check("9e14", Some("900000000000000.0"));
        check("1e15", None);
        check("1e999", None);
        check("1e-999", None);
    }

    #[test]
    fn floats_pass_only_as_their_shortest_text() {
        fn check(text: &str, expected: Option<f64>) {
            assert_eq!(decimal(text).to_shortest(), expected, "{text}");
        }
        check("0", Some(0.0));
        check("0.1", Some(0.1));
        check("1e22", Some(1e22));
        check("5e-324", Some(5e-324));
        check("1.7976931348623157e308", Some(f64::MAX));
        check("0.1234567890123456789", None);
        check("0.1000000000000000055", None);
        check("9007199254740993", None);
        check("1e309", None);
        check("1e-400", None);
        assert_eq!(Decimal::from_shortest(f64::NAN), None);
        assert_eq!(Decimal::from_shortest(f64::NEG_INFINITY), None);
        assert_eq!(Decimal::from_shortest(-0.0), Some(Decimal::ZERO));
        assert_eq!(Decimal::from_shortest(-1.5e300), Some(decimal("-15e299")));
    }

    /// A naive model: sign, then one decimal digit a byte, from 10^1100 down to 10^-1100.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Model {
        negative: bool,
        digits: Vec<u8>,
    }

    const TOP: i64 = 1100;

    impl Model {
        fn parse(text: &str) -> Self {
            let (negative, text) = text.strip_prefix('-').map_or((false, text), |t| (true, t));
            let text = text.to_lowercase();
            let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
            let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
            let power: i64 = power.parse().unwrap();
            let mut digits = vec![0; 2 * TOP as usize + 1];
            let first = power + whole.len() as i64 - 1;
            for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
                let place = TOP - (first - index as i64);
                if digit != b'0' {
                    digits[usize::try_from(place).unwrap()] = digit - b'0';
                }
            }
            let negative = negative && digits.iter().any(|digit| *digit > 0);
            Self { negative, digits }
        }

        /// Whether a `Decimal` can hold it.
        fn fits(&self) -> bool {
            let Some(first) = self.digits.iter().position(|digit| *digit > 0) else {
                return true;
            };
            let last = self.digits.iter().rposition(|digit| *digit > 0).unwrap();
            let exponent = TOP - last as i64;
            last - first < Decimal::MAX_DIGITS as usize && exponent.abs() <= 999
        }

        fn cmp(&self, other: &Self) -> Ordering {
            match (self.negative, other.negative) {
                (false, false) => self.digits.cmp(&other.digits),
                (true, true) => other.digits.cmp(&self.digits),
                (left, right) => right.cmp(&left),
            }
        }

        fn add(&self, other: &Self) -> Self {
            let (large, small) =
                if self.digits >= other.digits { (self, other) } else { (other, self) };
            let subtract = large.negative != small.negative;
            let mut digits = large.digits.clone();
            let mut carry = 0;
            for (digit, change) in digits.iter_mut().zip(&small.digits).rev() {
                let change = *change as i8 + carry;
                let mut value = *digit as i8 + if subtract { -change } else { change };
                carry = 0;
                if !(0..10).contains(&value) {
                    carry = 1;
                    value += if value < 0 { 10 } else { -10 };
                }
                *digit = value as u8;
            }
            assert_eq!(carry, 0);
            let negative = large.negative && digits.iter().any(|digit| *digit > 0);
            Self { negative, digits }
        }
    }

    /// Number texts of all shapes, biased to the edges of digits and exponents.
    fn number() -> impl Strategy<Value = String> {
        let power = prop_oneof![
            3 => Just(String::new()),
            3 => (-6..6_i32).prop_map(|power| format!("e{power}")),
            2 => (-70..70_i32).prop_map(|power| format!("E{power:+}")),
            1 => (960..1010_i32).prop_map(|power| format!("e{power}")),
            1 => (-1010..-960_i32).prop_map(|power| format!("e{power}")),
        ];
        let whole = prop_oneof![2 => "0|[1-9][0-9]{0,4}", 1 => "[1-9][0-9]{0,36}", 1 => "[1-9]0{0,36}[1-9]?"];
        let fraction = prop_oneof![2 => Just(String::new()), 2 => "\\.[0-9]{1,4}", 1 => "\\.0{0,34}[0-9]{1,3}0{0,3}"];
        ("-?", whole, fraction, power)
            .prop_map(|(sign, whole, fraction, power)| format!("{sign}{whole}{fraction}{power}"))
    }

    fn fitting() -> impl Strategy<Value = String> {
        number().prop_filter("a decimal", |text| Model::parse(text).fits())
    }

    fn hash(number: Decimal) -> u64 {
        let mut hasher = DefaultHasher::new();
        number.hash(&mut hasher);
        hasher.finish()
    }

    proptest! {
        #[test]
        fn parsing_agrees_with_the_model(text in number()) {
            let model = Model::parse(&text);
            match Decimal::parse(&text) {
                Ok(number) => {
                    prop_assert!(model.fits());
                    prop_assert_eq!(Model::parse(&number.to_string()), model);
                    prop_assert_eq!(Decimal::parse(&number.to_string()), Ok(number));
                    prop_assert_eq!(Decimal::try_new(number.coefficient(), number.exponent()), Ok(number));
                    prop_assert!(number.coefficient() % 10 != 0 || number == Decimal::ZERO);
                }
                Err(DecimalError::Grammar) => prop_assert!(false, "grammar"),
                Err(_) => prop_assert!(!model.fits()),
            }
        }

        #[test]
        fn order_and_sums_agree_with_the_model(left in fitting(), right in fitting()) {
            let models = (Model::parse(&left), Model::parse(&right));
            let (left, right) = (decimal(&left), decimal(&right));
            prop_assert_eq!(left.cmp(&right), models.0.cmp(&models.1));
            prop_assert_eq!(left.cmp(&right).is_eq(), left == right);
            prop_assert!(left != right || hash(left) == hash(right));
            let sum = models.0.add(&models.1);
            match left.checked_add(&right) {
                Some(number) => prop_assert_eq!(Model::parse(&number.to_string()), sum),
                None => prop_assert!(!sum.fits()),
            }
            prop_assert_eq!(left.checked_add(&right), right.checked_add(&left));
        }

        #[test]
        fn nearby_numbers_are_ordered(value in any::<i64>(), step in 0..3_i64, power in -40..40_i16) {
            let (left, right) = (i128::from(value), i128::from(value) + i128::from(step));
            let number = |coefficient| Decimal::try_new(coefficient, power).unwrap();
            prop_assert_eq!(number(left).cmp(&number(right)), left.cmp(&right));
        }

        #[test]
        fn every_finite_float_passes(bits in any::<u64>()) {
            let float = f64::from_bits(bits);
            prop_assume!(float.is_finite());
            let number = Decimal::from_shortest(float).unwrap();
            prop_assert_eq!(number.to_shortest(), Some(float));
        }
    }
}
