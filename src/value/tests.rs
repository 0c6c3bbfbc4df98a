//! Tests of the whole room: what is accepted, what is refused and where, and how it agrees with
//! `serde_json`.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use ::serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use ::serde::{Deserialize as DeriveDeserialize, Serialize as DeriveSerialize};
use proptest::prelude::*;
use serde_json::json;

use super::JsonErrorKind as Kind;
use super::*;

fn parse(text: &str) -> Result<Value, JsonError> {
    Value::parse(text.as_bytes(), &Limits::DOCUMENT)
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

#[test]
fn accepts_and_writes_canonically() {
    fn check(text: &str, expected: &str) {
        let value = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(value.to_canonical(), expected, "{text}");
        assert_eq!(parse(expected), Ok(value), "{text}");
    }
    check("null", "null");
    check(" true\n", "true");
    check("\t\r\n false ", "false");
    check("0", "0");
    check("-0", "0");
    check("-0.0", "0");
    check("1.50", "1.5");
    check("1E2", "100");
    check("1e+2", "100");
    check("-2.5e-3", "-0.0025");
    check("0.1234567890123456789", "0.1234567890123456789");
    check("123456789012345678901234567890", "123456789012345678901234567890");
    check("1e400", "1E+400");
    check(r#""""#, r#""""#);
    check(r#""a\/b""#, r#""a/b""#);
    check(r#""\u0041\u00e9\u20AC""#, r#""Aé€""#);
    check(r#""\ud83d\ude00""#, r#""😀""#);
    check(r#""\uD83D\uDE00x""#, r#""😀x""#);
    check(r#""\"\\\/\b\f\n\r\t""#, r#""\"\\/\b\f\n\r\t""#);
    check(r#""\u0000\u001F\u007f""#, "\"\\u0000\\u001f\u{7f}\"");
    check("\"\u{2028}\u{feff}\u{ffff}\"", "\"\u{2028}\u{feff}\u{ffff}\"");
    check("[]", "[]");
    check("[ ]", "[]");
    check("{}", "{}");
    check("{ }", "{}");
    check("[1 , 2,3 ]", "[1,2,3]");
    check("[[],[[]],{}]", "[[],[[]],{}]");
    check(r#"{"b":1,"a":{"d":[],"c":null}}"#, r#"{"a":{"c":null,"d":[]},"b":1}"#);
    check(r#" { "a" : [ { "b" : "c" } , 1 ] , "" : 0 } "#, r#"{"":0,"a":[{"b":"c"},1]}"#);
    check(r#"[{"a":1},{"a":2}]"#, r#"[{"a":1},{"a":2}]"#);
    check(r#"{"a":{"a":{"a":1}}}"#, r#"{"a":{"a":{"a":1}}}"#);
    check(r#"{"é":1,"e":2,"\u0065\u0301":3}"#, "{\"e\":2,\"e\u{301}\":3,\"é\":1}");
}

#[test]
fn refuses_and_says_where() {
    fn check(text: &str, kind: Kind, offset: usize) {
        let error = parse(text).expect_err(text);
        assert_eq!((error.kind(), error.offset()), (kind, Some(offset)), "{text}");
    }
    check("", Kind::End, 0);
    check("  ", Kind::End, 2);
    check("[", Kind::End, 1);
    check("[1", Kind::End, 2);
    check("[1,", Kind::End, 3);
    check("{", Kind::End, 1);
    check("{\"a\"", Kind::End, 4);
    check("{\"a\":", Kind::End, 5);
    check("{\"a\":1", Kind::End, 6);
    check("{\"a\":1,", Kind::End, 7);
    check("tru", Kind::End, 3);
    check("\"abc", Kind::End, 4);
    check("\"abc\\", Kind::End, 5);
    check("\"\\u12", Kind::End, 5);
    check("\"\\ud83d\\u", Kind::End, 9);
    check("-", Kind::End, 1);
    check("1.", Kind::End, 2);
    check("1e+", Kind::End, 3);
    check("1 2", Kind::Trailing, 2);
    check("null,", Kind::Trailing, 4);
    check("{}}", Kind::Trailing, 2);
    check("1\0", Kind::Trailing, 1);
    check("nullx", Kind::Trailing, 4);
    check("1\u{a0}", Kind::Trailing, 1);
    check("\u{feff}1", Kind::ByteOrderMark, 0);
    check(" \u{feff}1", Kind::Unexpected, 1);
    check("]", Kind::Unexpected, 0);
    check("[1}", Kind::Unexpected, 2);
    check("{\"a\":1]", Kind::Unexpected, 6);
    check("[1,]", Kind::Unexpected, 3);
    check("[,1]", Kind::Unexpected, 1);
    check("[1 2]", Kind::Unexpected, 3);
    check("{\"a\":1,}", Kind::Unexpected, 7);
    check("{,}", Kind::Unexpected, 1);
    check("{a:1}", Kind::Unexpected, 1);
    check("{1:1}", Kind::Unexpected, 1);
    check("{\"a\" 1}", Kind::Unexpected, 5);
    check("{\"a\"::1}", Kind::Unexpected, 5);
    check("{\"a\"}", Kind::Unexpected, 4);
    check("'a'", Kind::Unexpected, 0);
    check("NaN", Kind::Unexpected, 0);
    check("Infinity", Kind::Unexpected, 0);
    check("True", Kind::Unexpected, 0);
    check("nul1", Kind::Unexpected, 3);
    check("+1", Kind::Unexpected, 0);
    check(".5", Kind::Unexpected, 0);
    check("/**/1", Kind::Unexpected, 0);
    check("[1,//\n2]", Kind::Unexpected, 3);
    check("\u{b}1", Kind::Unexpected, 0);
    check("-Infinity", Kind::Number, 1);
    check("01", Kind::Number, 0);
    check("[-01]", Kind::Number, 2);
    check("00", Kind::Number, 0);
    check("[1.]", Kind::Number, 3);
    check("[1.e5]", Kind::Number, 3);
    check("[-]", Kind::Number, 2);
    check("[1e]", Kind::Number, 3);
    check("[1e-]", Kind::Number, 4);
    check("0x10", Kind::Trailing, 1);
    check("1_000", Kind::Trailing, 1);
    check("[1.2.3]", Kind::Unexpected, 4);
    check("12345678901234567890123456789012345", Kind::NumberDigits, 0);
    check("[1e999999999]", Kind::NumberExponent, 1);
    check("[1e-999999999999999999999999]", Kind::NumberExponent, 1);
    check("\"a\nb\"", Kind::ControlCharacter, 2);
    check("\"\0\"", Kind::ControlCharacter, 1);
    check("\"\u{1f}\"", Kind::ControlCharacter, 1);
    check("\"\\n\t\"", Kind::ControlCharacter, 3);
    check(r#""\x41""#, Kind::Escape, 1);
    check(r#""\'""#, Kind::Escape, 1);
    check(r#""\U0041""#, Kind::Escape, 1);
    check(r#""ab\u00g0""#, Kind::Escape, 3);
    check(r#""\u+041""#, Kind::Escape, 1);
    check("\"\\é\"", Kind::Escape, 1);
    check("\"\\u00é\"", Kind::Escape, 1);
    check(r#""\ud83d""#, Kind::LoneSurrogate, 1);
    check(r#""\ude00""#, Kind::LoneSurrogate, 1);
    check(r#""x\ud83dx""#, Kind::LoneSurrogate, 2);
    check(r#""\ud83d\n""#, Kind::LoneSurrogate, 1);
    check(r#""\ud83d\ud83d\ude00""#, Kind::LoneSurrogate, 1);
    check(r#""\ud83d\u0041""#, Kind::LoneSurrogate, 1);
    check(r#""\ude00\ud83d""#, Kind::LoneSurrogate, 1);
    check(r#""\ud83d\u00zz""#, Kind::Escape, 7);
    check(r#"{"a":1,"a":2}"#, Kind::DuplicateKey, 0);
    check(r#"[{"b":1,"a":1,"c":{},"b":2}]"#, Kind::DuplicateKey, 1);
    check(r#"{"a":1,"\u0061":2}"#, Kind::DuplicateKey, 0);
    check(r#"{"x":{"":1,"":1}}"#, Kind::DuplicateKey, 5);
}

#[test]
fn refuses_what_is_not_utf8() {
    fn check(text: &[u8], offset: usize) {
        let error = Value::parse(text, &Limits::DOCUMENT).unwrap_err();
        assert_eq!((error.kind(), error.offset()), (Kind::Utf8, Some(offset)));
    }
    check(b"\xff", 0);
    check(b"\"\xc0\xaf\"", 1);
    check(b"\"ab\xed\xa0\x80\"", 3);
    check(b"\"\xf4\x90\x80\x80\"", 1);
    check(b"\"\xe2\x82", 1);
    check(b"\xff\xfe1\x000\x00", 0);
    check(b"1 \x80", 2);
}

#[test]
fn messages_quote_little_and_escaped() {
    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }
    check("[1,]", "unexpected character `]` at byte 3");
    check("[", "unexpected end of text at byte 1");
    check("\"\u{1}\"", "control character in a string `\\u{1}` at byte 1");
    check(r#"{"a":1,"a":1}"#, "duplicate key `a` at byte 0");
    check(r#"{"a\n`":1,"a\n`":1}"#, "duplicate key `a\\u{a}\\u{60}` at byte 0");
    check("[1e5000]", "number with an exponent beyond 999 `1e5000` at byte 1");
    check("\u{202e}", "unexpected character `\\u{202e}` at byte 0");
    let key = "k".repeat(1000);
    let text = format!(r#"{{"{key}":1,"{key}":1}}"#);
    check(&text, &format!("duplicate key `{}…` at byte 0", "k".repeat(39)));
    let digits = "9".repeat(1000);
    check(
        &digits,
        &format!("number with more than 34 significant digits `{}…` at byte 0", "9".repeat(39)),
    );
}

#[test]
fn limits_hold_at_the_edge() {
    fn check(text: &str, limits: Limits, expected: Option<(Kind, usize)>) {
        let outcome = Value::parse(text.as_bytes(), &limits).err();
        let outcome = outcome.map(|error| (error.kind(), error.offset().unwrap()));
        assert_eq!(outcome, expected, "{text:.40}");
    }
    let wide = Limits { max_bytes: usize::MAX, max_depth: usize::MAX, max_nodes: usize::MAX };

    check("[1,2]", Limits { max_bytes: 5, ..wide }, None);
    check("[1,2]", Limits { max_bytes: 4, ..wide }, Some((Kind::TooLong, 4)));
    check("1", Limits { max_bytes: 0, ..wide }, Some((Kind::TooLong, 0)));

    check("1", Limits { max_depth: 0, ..wide }, None);
    check("[]", Limits { max_depth: 0, ..wide }, Some((Kind::TooDeep, 0)));
    check("[{}]", Limits { max_depth: 2, ..wide }, None);
    check("[{}]", Limits { max_depth: 1, ..wide }, Some((Kind::TooDeep, 1)));
    check(r#"{"a":[],"b":[]}"#, Limits { max_depth: 2, ..wide }, None);
    check(r#"{"a":[[]]}"#, Limits { max_depth: 2, ..wide }, Some((Kind::TooDeep, 6)));

    check("1", Limits { max_nodes: 1, ..wide }, None);
    check("1", Limits { max_nodes: 0, ..wide }, Some((Kind::TooManyValues, 0)));
    check(r#"{"a":1,"b":[2]}"#, Limits { max_nodes: 4, ..wide }, None);
    check(r#"{"a":1,"b":[2]}"#, Limits { max_nodes: 3, ..wide }, Some((Kind::TooManyValues, 12)));

    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check(&nested(128), wide, None);
    check(&nested(129), wide, Some((Kind::TooDeep, 128)));
    check(&"[".repeat(1 << 20), wide, Some((Kind::TooDeep, 128)));
    check(&"{\"a\":".repeat(1 << 18), wide, Some((Kind::TooDeep, 128 * 5)));
    for limits in [Limits::ARGUMENTS, Limits::DOCUMENT, Limits::LINE] {
        check(&nested(limits.max_depth), limits, None);
        check(&nested(limits.max_depth + 1), limits, Some((Kind::TooDeep, limits.max_depth)));
        let list = |length: usize| format!("[{}0]", "0,".repeat(length - 1));
        check(&list(limits.max_nodes - 1), limits, None);
        let last = 1 + 2 * (limits.max_nodes - 1);
        check(&list(limits.max_nodes), limits, Some((Kind::TooManyValues, last)));
        let string = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        check(&string(limits.max_bytes), limits, None);
        check(&string(limits.max_bytes + 1), limits, Some((Kind::TooLong, limits.max_bytes)));
    }
}

#[test]
fn equal_numbers_are_equal_values() {
    assert_eq!(parse("[1.0, 100, -0]"), parse("[1,1e2,0.0e5]"));
    assert_ne!(parse("0.1"), parse("0.10000000000000000001"));
}

#[test]
fn accessors_return_their_own_kind() {
    let value = parse(r#"[null, true, 1.5, "x", [1], {"a": 2}]"#).unwrap();
    let [null, truth, number, text, array, object] = value.as_array().unwrap() else {
        panic!("six elements");
    };
    assert!(null.is_null() && !truth.is_null());
    assert_eq!((truth.as_bool(), null.as_bool()), (Some(true), None));
    assert_eq!((number.as_number(), text.as_number()), (Some(decimal("1.5")), None));
    assert_eq!((text.as_str(), number.as_str()), (Some("x"), None));
    assert_eq!(
        (array.as_array(), object.as_array()),
        (Some([Value::from(1_u64)].as_slice()), None)
    );
    assert_eq!(object.as_object().and_then(|o| o.get("a")), Some(&Value::from(2_i64)));
    assert_eq!(array.as_object(), None);
    assert_eq!(Value::from(vec![Value::from(true), Value::from("a")]).to_string(), r#"[true,"a"]"#);
    assert_eq!(Value::from(Object::new()).to_canonical(), "{}");
    assert_eq!(Value::from(String::from("a")), Value::from("a"));
    assert_eq!(Value::from(decimal("2")), Value::from(2_u64));
    // Receipts and arguments are made of these by the thousand.
    assert!(size_of::<Value>() <= 32);
}

#[test]
fn converts_from_serde_json_within_limits() {
    fn check(value: serde_json::Value, expected: Result<&str, Kind>) {
        let outcome = Value::try_from(&value).map(|value| value.to_canonical());
        assert_eq!(outcome.as_deref().map_err(JsonError::kind), expected, "{value:.40}");
    }
    let wrap = |depth: usize| (0..depth).fold(json!(0), |inner, _| json!([inner]));
    let deep = format!("{}0{}", "[".repeat(32), "]".repeat(32));
    check(json!({"b": [1, -2, 0.1], "a": {"c": null}}), Ok(r#"{"a":{"c":null},"b":[1,-2,0.1]}"#));
    check(json!(u64::MAX), Ok("18446744073709551615"));
    check(json!(1e300), Ok("1E+300"));
    check(json!(-0.0), Ok("0"));
    check(json!(0.30000000000000004), Ok("0.30000000000000004"));
    check(wrap(32), Ok(&deep));
    check(wrap(33), Err(Kind::TooDeep));
    assert!(Value::try_from(&json!(vec![0; 16_383])).is_ok());
    check(json!(vec![0; 16_384]), Err(Kind::TooManyValues));
    assert!(Value::try_from(&json!("x".repeat(256 << 10))).is_ok());
    check(json!("x".repeat((256 << 10) + 1)), Err(Kind::TooLong));
    check(json!({"x".repeat(200_000): "x".repeat(100_000)}), Err(Kind::TooLong));
}

#[derive(Debug, PartialEq, DeriveDeserialize, DeriveSerialize)]
#[serde(deny_unknown_fields)]
struct Strict {
    count: u8,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    kind: Kinds,
}

#[derive(Debug, Default, PartialEq, DeriveDeserialize, DeriveSerialize)]
#[serde(rename_all = "snake_case")]
enum Kinds {
    #[default]
    Unit,
    New(i64),
    Pair(u8, u8),
    Fields {
        x: bool,
    },
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    from_slice(text.as_bytes(), &Limits::DOCUMENT).map_err(|error| error.to_string())
}

#[test]
fn types_are_read_strictly() {
    fn check(text: &str, expected: Result<(u8, f64, Option<&str>, Kinds), &str>) {
        let expected = expected.map_err(str::to_owned).map(|(count, ratio, name, kind)| Strict {
            count,
            ratio,
            name: name.map(str::to_owned),
            kind,
        });
        assert_eq!(read(text), expected, "{text}");
    }
    check(r#"{"count": 7}"#, Ok((7, 0.0, None, Kinds::Unit)));
    check(r#"{"count": 2e2, "name": null}"#, Ok((200, 0.0, None, Kinds::Unit)));
    check(r#"{"count": 1.0, "ratio": 0.1, "name": "x"}"#, Ok((1, 0.1, Some("x"), Kinds::Unit)));
    check(r#"{"count": 1, "ratio": 3}"#, Ok((1, 3.0, None, Kinds::Unit)));
    check(r#"{"count": 1, "kind": {"unit": null}}"#, Ok((1, 0.0, None, Kinds::Unit)));
    check(r#"{"count": 1, "kind": {"new": -5}}"#, Ok((1, 0.0, None, Kinds::New(-5))));
    check(r#"{"count": 1, "kind": {"pair": [1, 2]}}"#, Ok((1, 0.0, None, Kinds::Pair(1, 2))));
    check(
        r#"{"count": 1, "kind": {"fields": {"x": true}}}"#,
        Ok((1, 0.0, None, Kinds::Fields { x: true })),
    );

    check(r#"{"count": 1, "count": 2}"#, Err("duplicate key `count` at byte 0"));
    check(r#"{"count": 256}"#, Err("unexpected content: integer `256`, expected u8 at `/count`"));
    check(
        r#"{"count": 1.5}"#,
        Err("unexpected content: floating point `1.5`, expected u8 at `/count`"),
    );
    check(r#"{"count": "1"}"#, Err("unexpected content: string `1`, expected u8 at `/count`"));
    check("{}", Err("unexpected content: missing field `count`"));
    check("[1]", Err("unexpected content: array, expected struct Strict"));
    check("null", Err("unexpected content: null, expected struct Strict"));
    check(
        r#"{"count": 1, "other\n": 2}"#,
        Err(
            "unexpected content: unknown field `other\\u{a}`, expected `count`, `ratio`, `name`, `kind`",
        ),
    );
    check(
        r#"{"count": 1, "ratio": 9007199254740993}"#,
        Err("unexpected content: integer `9007199254740993`, expected f64 at `/ratio`"),
    );
    check(
        r#"{"count": 1, "ratio": 0.1000000000000000055}"#,
        Err("unexpected content: number 0.1000000000000000055, expected f64 at `/ratio`"),
    );
    check(
        r#"{"count": 1, "kind": {"new": 1, "unit": null}}"#,
        Err("unexpected content: invalid length 2, expected one member, a variant at `/kind`"),
    );
    check(
        r#"{"count": 1, "kind": {"pair": [1, 2, 3]}}"#,
        Err("unexpected content: invalid length 3, expected fewer elements at `/kind/pair`"),
    );
    check(
        r#"{"count": 1, "kind": {"fields": [true]}}"#,
        Err("unexpected content: array, expected struct variant Kinds::Fields at `/kind/fields`"),
    );
    check(
        r#"{"count": 1, "kind": "new"}"#,
        Err("unexpected content: variant `new` without its content at `/kind`"),
    );
    check(
        r#"{"count": 1, "kind": "no"}"#,
        Err(
            "unexpected content: unknown variant `no`, expected `unit`, `new`, `pair`, `fields` at `/kind`",
        ),
    );
    check(
        r#"{"count": 1, "kind": {"new": 1.5}}"#,
        Err("unexpected content: floating point `1.5`, expected i64 at `/kind/new`"),
    );
}

#[test]
fn duplicates_are_refused_where_nobody_looks() {
    #[derive(Debug, DeriveDeserialize)]
    struct Loose {}
    assert!(read::<Loose>(r#"{"x": {"a": 1, "b": 2}}"#).is_ok());
    let error = read::<Loose>(r#"{"x": {"a": 1, "a": 2}}"#).unwrap_err();
    assert_eq!(error, "duplicate key `a` at byte 6");
}

#[test]
fn messages_of_types_are_bounded() {
    let name = "n".repeat(5000);
    let error = read::<Strict>(&format!(r#"{{"count": 1, "{name}": 1}}"#)).unwrap_err();
    assert!(error.len() < 160, "{error}");
    let error = read::<Kinds>(&format!(r#""{name}""#)).unwrap_err();
    assert!(error.len() < 160, "{error}");
    let error = read::<BTreeMap<String, u8>>(&format!(r#"{{"{name}/~": "{name}"}}"#)).unwrap_err();
    assert!(error.len() < 160, "{error}");
    let error = read::<BTreeMap<String, u8>>(r#"{"a/~\n": ""}"#).unwrap_err();
    assert_eq!(error, "unexpected content: string ``, expected u8 at `/a~1~0\\u{a}`");
    #[derive(Debug, DeriveDeserialize)]
    struct Nest {
        #[serde(rename = "n")]
        _n: Option<Box<Nest>>,
    }
    let deep = format!("{}1{}", r#"{"n":"#.repeat(20), "}".repeat(20));
    let error = read::<Nest>(&deep).unwrap_err();
    assert_eq!(
        error,
        "unexpected content: integer `1`, expected struct Nest at `…/n/n/n/n/n/n/n/n`"
    );
}

#[test]
fn other_shapes_are_read() {
    #[derive(Debug, PartialEq, DeriveDeserialize)]
    struct Meters(u32);
    #[derive(Debug, PartialEq, DeriveDeserialize)]
    struct Nothing;
    #[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, DeriveDeserialize)]
    enum Color {
        Red,
    }
    assert_eq!(read("[1, 2]"), Ok((1_u8, 2_u8)));
    assert!(read::<(u8, u8)>("[1]").is_err());
    assert!(read::<(u8, u8)>("[1, 2, 3]").is_err());
    assert_eq!(read("5"), Ok(Meters(5)));
    assert_eq!(read("null"), Ok(Nothing));
    assert_eq!(read("null"), Ok(()));
    assert_eq!(read("null"), Ok(None::<u8>));
    assert_eq!(read("\"x\""), Ok('x'));
    assert_eq!(read(r#"{"Red": 1}"#), Ok(BTreeMap::from([(Color::Red, 1_u8)])));
    assert_eq!(read("340282366920938463463"), Ok(340_282_366_920_938_463_463_u128));
    assert_eq!(
        read("-170141183460469231731687303715884000000"),
        Ok(-170_141_183_460_469_231_731_687_303_715_884_000_000_i128)
    );
    assert!(read::<u128>("-1").is_err());
    assert!(read::<i128>("1e40").is_err());
    assert!(read::<i128>("1.5").is_err());
    assert_eq!(read("0.1"), Ok(0.1_f32));
    assert!(read::<f32>("16777217").is_err());
    assert!(read::<f32>("0.123456789").is_err());
    assert!(read::<f32>("1e39").is_err());
    assert!(read::<f64>("1e309").is_err());
    assert!(read::<f64>("true").is_err());
    assert_eq!(read("18446744073709551615"), Ok(u64::MAX));
    assert!(read::<u64>("18446744073709551616").is_err());
    assert_eq!(read("-9223372036854775808"), Ok(i64::MIN));
    assert!(read::<i64>("9223372036854775808").is_err());
}

#[test]
fn values_keep_every_digit_through_from_slice() {
    #[derive(Debug, DeriveDeserialize)]
    struct Holder {
        value: Value,
        list: Vec<Value>,
        number: Decimal,
        maybe: Option<Decimal>,
        object: Object,
    }
    let exact = "0.1234567890123456789";
    let text = format!(
        r#"{{"value": {{"a": [{exact}]}}, "list": [{exact}, 1e-400], "number": {exact}, "maybe": {exact}, "object": {{"a": {exact}}}}}"#
    );
    let holder: Holder = read(&text).unwrap();
    assert_eq!(holder.value.to_canonical(), format!(r#"{{"a":[{exact}]}}"#));
    assert_eq!(holder.list, [Value::from(decimal(exact)), Value::from(decimal("1e-400"))]);
    assert_eq!((holder.number, holder.maybe), (decimal(exact), Some(decimal(exact))));
    assert_eq!(holder.object.get("a"), Some(&Value::from(decimal(exact))));
    assert_eq!(read::<Value>(exact), Ok(Value::from(decimal(exact))));
    assert!(read::<Decimal>("\"1\"").is_err());
    assert!(read::<Object>("[]").is_err());
    assert!(read::<f64>(exact).is_err());

    // An untagged enum buffers floats; what does not survive that is refused, not rounded.
    #[derive(Debug, PartialEq, DeriveDeserialize)]
    #[serde(untagged)]
    enum Either {
        Flag(bool),
        Any(Value),
    }
    assert_eq!(read("true"), Ok(Either::Flag(true)));
    assert_eq!(read("[1.5, 10]"), Ok(Either::Any(parse("[1.5,10]").unwrap())));
    assert!(read::<Either>(exact).is_err());
}

#[test]
fn text_cannot_pose_as_an_exact_number() {
    let text = r#"{"$countersign::value::Exact":"12"}"#;
    assert_eq!(read::<Value>(text), Ok(parse(text).unwrap()));
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), parse(text).unwrap());
    assert!(serde_json::from_str::<Value>(r#"{"$serde_json::private::Number":"12"}"#).is_err());
}

#[test]
fn other_formats_are_read_or_refused() {
    fn check(text: &str, expected: Result<&str, &str>) {
        let outcome = serde_json::from_str::<Value>(text).map(|value| value.to_canonical());
        match (outcome, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(expected)) => {
                assert!(error.to_string().starts_with(expected), "{error}");
            }
            (outcome, _) => panic!("{text}: {outcome:?}"),
        }
    }
    check(r#"{"b": [1, -2.5, null], "a": "x"}"#, Ok(r#"{"a":"x","b":[1,-2.5,null]}"#));
    check("0.1", Ok("0.1"));
    check("123456789012.345", Ok("123456789012.345"));
    check("18446744073709551615", Ok("18446744073709551615"));
    check("1e300", Ok("1E+300"));
    check("0.1234567890123456", Err("float with more than 15 digits"));
    check("0.1234567890123456789", Err("float with more than 15 digits"));
    check("18446744073709551617", Err("float with more than 15 digits"));
    check(r#"{"a": 1, "\u0061": 2}"#, Err("duplicate key `a`"));
    check(
        &format!("{}{}", "[".repeat(127), "]".repeat(127)),
        Ok(&format!("{}{}", "[".repeat(127), "]".repeat(127))),
    );

    // Deeper than any text may be, through a format without a limit of its own.
    let wrap = |depth: usize| (0..depth).fold(json!(0), |inner, _| json!([inner]));
    assert!(serde_json::from_value::<Value>(wrap(128)).is_ok());
    assert!(serde_json::from_value::<Value>(wrap(129)).is_err());
}

#[test]
fn numbers_are_written_exactly_or_not_at_all() {
    fn check(number: &str, expected: Option<&str>) {
        let outcome = serde_json::to_string(&Value::from(decimal(number)));
        assert_eq!(outcome.ok().as_deref(), expected, "{number}");
    }
    check("0", Some("0"));
    check("-1", Some("-1"));
    check("18446744073709551615", Some("18446744073709551615"));
    check("1.5", Some("1.5"));
    check("18446744073709551616", None);
    check("18446744073709551617", None);
    check("100000000000000000000", Some("1e+20"));
    check("0.1234567890123456789", None);
    check("1e-400", None);
    assert_eq!(
        serde_json::to_value(parse(r#"{"a":[null,"x"]}"#).unwrap()).unwrap(),
        json!({"a": [null, "x"]})
    );
    assert_eq!(serde_json::to_string(&decimal("2.50")).unwrap(), "2.5");
    let strict = Strict { count: 1, ratio: 0.25, name: None, kind: Kinds::Pair(1, 2) };
    assert_eq!(read::<Strict>(&serde_json::to_string(&strict).unwrap()), Ok(strict));
}

/// Any string, with what parsers trip over made likely.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => "[a-c]".prop_map(|text| text.chars().next().unwrap_or('a')),
        1 => prop::char::range('\0', '\u{1f}'),
        1 => prop::sample::select(vec!['"', '\\', '/', '\u{7f}', 'é', '\u{2028}', '\u{feff}', '\u{ffff}', '😀']),
        1 => any::<char>(),
    ];
    prop::collection::vec(character, 0..6).prop_map(String::from_iter)
}

fn number() -> impl Strategy<Value = Decimal> {
    let coefficient = prop_oneof![
        4 => (-1000..1000_i128).boxed(),
        1 => any::<i64>().prop_map(i128::from).boxed(),
        1 => (-(10_i128.pow(34)) + 1..10_i128.pow(34)).boxed(),
    ];
    let exponent = prop_oneof![4 => Just(0_i16), 2 => -8..8_i16, 1 => -300..250_i16];
    (coefficient, exponent)
        .prop_map(|(coefficient, exponent)| Decimal::try_new(coefficient, exponent).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Object>())),
        ]
    })
}

/// A text of a value with other spaces, escapes and number forms, sometimes broken, sometimes with
/// a key twice.
fn json_text() -> impl Strategy<Value = String> {
    let style = prop::collection::vec(any::<u8>(), 1..40);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), edit()), 0..3);
    let broken = prop_oneof![2 => Just(false), 3 => Just(true)];
    (value(), style, edits, broken).prop_map(|(value, style, edits, broken)| {
        let mut out = String::new();
        restyle(&value, &mut style.iter().cycle().copied(), &mut out);
        if broken {
            for (index, piece) in edits {
                let mut characters: Vec<char> = out.chars().collect();
                let at = index.index(characters.len() + 1);
                match piece {
                    Some(piece) => characters.splice(at..at, piece.chars()).for_each(drop),
                    None if at < characters.len() => drop(characters.remove(at)),
                    None => {}
                }
                out = characters.into_iter().collect();
            }
        }
        out
    })
}

/// Something to insert, or nothing: then a character is removed.
fn edit() -> impl Strategy<Value = Option<String>> {
    let pieces = [
        "\"", "\\", "\\u", "\\ud83d", "\\ude00", "\\u0041", "{", "}", "[", "]", ",", ":", "0", "-",
        "+", ".", "e", "E", "1e", " ", "\n", "\u{b}", "\u{feff}", "\0", "true", "nul", "NaN",
        "\"a\":", "\"a\":1,", "/", "é",
    ];
    prop_oneof![
        4 => prop::sample::select(pieces.to_vec()).prop_map(|piece| Some(piece.to_owned())),
        1 => Just(None),
    ]
}

fn restyle(value: &Value, style: &mut dyn Iterator<Item = u8>, out: &mut String) {
    let space = |style: &mut dyn Iterator<Item = u8>, out: &mut String| {
        out.push_str(match style.next().unwrap_or(0) {
            0..40 => " ",
            40..60 => "\n\t",
            60..70 => "\r\n  ",
            _ => "",
        });
    };
    space(style, out);
    match value {
        Value::Number(number) => match (style.next().unwrap_or(0), number.exponent()) {
            (0..60, _) => out.push_str(&format!("{}e{}", number.coefficient(), number.exponent())),
            (60..90, 0..6) => out.push_str(&format!("{number}.0")),
            _ => out.push_str(&number.to_string()),
        },
        Value::String(text) => restyle_string(text, style, out),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                restyle(value, style, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            let mut members: Vec<_> = object.iter().collect();
            if style.next().unwrap_or(0) < 128 {
                members.reverse();
            }
            for (index, (key, value)) in members.into_iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                space(style, out);
                restyle_string(key, style, out);
                space(style, out);
                out.push(':');
                restyle(value, style, out);
            }
            out.push('}');
        }
        other => other.write_canonical(out),
    }
    space(style, out);
}

fn restyle_string(text: &str, style: &mut dyn Iterator<Item = u8>, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if style.next().unwrap_or(0) < 60 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            let mut quoted = String::new();
            write_string(&mut quoted, character.encode_utf8(&mut [0; 4]));
            out.extend(quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')));
        }
    }
    out.push('"');
}

/// Whether a text that `serde_json` accepts has a key twice, as `serde_json` itself reads it.
fn has_duplicates(text: &str) -> bool {
    struct Probe<'a>(&'a mut bool);

    impl<'de> DeserializeSeed<'de> for Probe<'_> {
        type Value = ();

        fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
            deserializer.deserialize_any(self)
        }
    }

    impl<'de> Visitor<'de> for Probe<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }

        fn visit_bool<E>(self, _: bool) -> Result<(), E> {
            Ok(())
        }

        fn visit_i64<E>(self, _: i64) -> Result<(), E> {
            Ok(())
        }

        fn visit_u64<E>(self, _: u64) -> Result<(), E> {
            Ok(())
        }

        fn visit_f64<E>(self, _: f64) -> Result<(), E> {
            Ok(())
        }

        fn visit_str<E>(self, _: &str) -> Result<(), E> {
            Ok(())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
            while elements.next_element_seed(Probe(&mut *self.0))?.is_some() {}
            Ok(())
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
            let mut keys = HashSet::new();
            while let Some(key) = entries.next_key::<String>()? {
                *self.0 |= !keys.insert(key);
                entries.next_value_seed(Probe(&mut *self.0))?;
            }
            Ok(())
        }
    }

    let mut found = false;
    let probe = Probe(&mut found);
    probe.deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap();
    found
}

/// Equal but for what `f64` does to numbers.
fn agrees(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(left), serde_json::Value::Bool(right)) => left == right,
        (Value::String(left), serde_json::Value::String(right)) => left == right,
        (Value::Number(left), serde_json::Value::Number(right)) => {
            if right.is_u64() || right.is_i64() {
                return left.to_u64() == right.as_u64() && left.to_i64() == right.as_i64();
            }
            let (left, right) = (left.to_string().parse::<f64>().unwrap(), right.as_f64().unwrap());
            (left - right).abs() <= right.abs() * 1e-15
        }
        (Value::Array(left), serde_json::Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| agrees(left, right))
        }
        (Value::Object(left), serde_json::Value::Object(right)) => {
            let same = |(key, left)| right.get(key).is_some_and(|right| agrees(left, right));
            left.len() == right.len() && left.iter().all(same)
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn canonical_text_reads_back(value in value()) {
        let text = value.to_canonical();
        prop_assert_eq!(parse(&text), Ok(value.clone()));
        prop_assert_eq!(from_value::<Value>(&value), Ok(value));
    }

    #[test]
    fn canonical_text_is_a_fixpoint(text in json_text()) {
        if let Ok(value) = parse(&text) {
            let canonical = value.to_canonical();
            let again = parse(&canonical).unwrap();
            prop_assert_eq!(again.to_canonical(), canonical);
            prop_assert_eq!(again, value);
        }
    }

    #[test]
    fn serde_json_agrees(text in json_text()) {
        match (parse(&text), serde_json::from_str::<serde_json::Value>(&text)) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert!(agrees(&ours, &theirs));
                prop_assert!(!has_duplicates(&text));
            }
            (Ok(_), Err(error)) => prop_assert!(error.to_string().starts_with("number out of range"), "{}", error),
            (Err(error), Ok(_)) => match error.kind() {
                Kind::DuplicateKey => prop_assert!(has_duplicates(&text)),
                Kind::NumberDigits | Kind::NumberExponent => {}
                _ => prop_assert!(false, "{}", error),
            },
            (Err(error), Err(_)) => prop_assert!(error.offset().is_some_and(|offset| offset <= text.len())),
        }
    }

    #[test]
    fn bytes_of_any_kind_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let ours = Value::parse(&bytes, &Limits::DOCUMENT);
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok());
    }

    #[test]
    fn other_formats_lose_nothing(value in value()) {
        // What `serde` can carry comes back the same; the rest is an error on the way out or in.
        if let Ok(text) = serde_json::to_string(&value)
            && let Ok(again) = serde_json::from_str::<Value>(&text)
        {
            prop_assert_eq!(&again, &value);
        }
        if let Ok(theirs) = serde_json::to_value(&value)
            && let Ok(again) = Value::try_from(&theirs)
        {
            prop_assert_eq!(&again, &value);
        }
    }
}

#[test]
fn a_fraction_that_is_rounded_on_its_way_is_refused() {
    // Sixteen digits, of which a faster reader makes fifteen others.
    let value = Value::parse(b"5.220665727478849e143", &Limits::DOCUMENT).unwrap();
    let text = serde_json::to_string(&value).unwrap();
    assert!(serde_json::from_str::<Value>(&text).is_err());
}
