//! Values through `serde`: written to and read from any format, and read as any type.

use std::fmt;

use ::serde::de::value::{StrDeserializer, StringDeserializer};
use ::serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _,
    Expected, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use ::serde::forward_to_deserialize_any;
use ::serde::ser::{Error as _, Serialize, Serializer};

use super::error::{message, quote};
use super::object::Members;
use super::{Decimal, JsonError, Limits, Object, Value};

/// Reads a `T` from a value, as [`from_slice`](super::from_slice) does from a text.
///
/// # Errors
///
/// Returns [`JsonError`] if the value does not fit `T`; the message says where, as a JSON pointer.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, JsonError> {
    T::deserialize(Source(value)).map_err(|mismatch| JsonError::mismatch(mismatch.to_string()))
}

/// Numbers are written as integers, or as floats whose shortest text is the same number.
///
/// # Errors
///
/// Fails for other numbers, which the reader at the other end would round;
/// [`Value::write_canonical`] has no such gap.
impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(values) => serializer.collect_seq(values),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

/// Written as [`Value`] writes its numbers.
impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(integer) = self.to_u64() {
            serializer.serialize_u64(integer)
        } else if let Some(integer) = self.to_i64() {
            serializer.serialize_i64(integer)
        } else if let Some(float) = self.to_shortest() {
            serializer.serialize_f64(float)
        } else {
            Err(S::Error::custom("number that is no 64-bit integer and no float's shortest text"))
        }
    }
}

/// Reads from any self-describing format, at most [`Limits::MAX_DEPTH`] deep.
///
/// # Errors
///
/// Fails on duplicate keys, keys that are not strings, bytes, and floats of more than 15 digits.
///
/// # Security
///
/// A format that hands out floats has rounded already, and a number with many digits can look like
/// one with few. Text that others write goes through [`from_slice`](super::from_slice) or
/// [`Value::parse`], where every digit counts.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ValueSeed(Limits::MAX_DEPTH).deserialize(deserializer)
    }
}

/// Reads as [`Value`] does, objects only.
impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Ok(object),
            _ => Err(D::Error::custom("not an object")),
        }
    }
}

/// Reads as [`Value`] does, numbers only.
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Number(number) => Ok(number),
            _ => Err(D::Error::custom("not a number")),
        }
    }
}

/// Reads a value that may nest so many levels deep.
struct ValueSeed(usize);

impl<'de> DeserializeSeed<'de> for ValueSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let visitor = ValueVisitor { depth: self.0, inner: false };
        deserializer.deserialize_newtype_struct(EXACT, visitor)
    }
}

struct ValueVisitor {
    depth: usize,
    /// Whether the newtype that `ValueSeed` asks for has been entered.
    inner: bool,
}

impl ValueVisitor {
    fn deeper<E: de::Error>(&self) -> Result<usize, E> {
        let rest = self.depth.checked_sub(1);
        rest.ok_or_else(|| E::custom("arrays and objects nest too deep"))
    }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        if self.inner {
            return Err(D::Error::custom("nested newtype is no JSON value"));
        }
        inner.deserialize_any(Self { inner: true, ..self })
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        ValueSeed(self.deeper()?).deserialize(inner)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        Decimal::try_new(value, 0).map(Value::Number).map_err(E::custom)
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        self.visit_i128(i128::try_from(value).map_err(E::custom)?)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Decimal::from_shortest(value)
            .filter(|number| number.digits() <= FLOAT_DIGITS)
            .map(Value::Number)
            .ok_or_else(|| E::custom("float with more than 15 digits may have been rounded"))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(ValueSeed(depth))? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut members = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key == SERDE_JSON_NUMBER {
                return Err(A::Error::custom("number in the private form of `serde_json`"));
            }
            members.push((key, entries.next_value_seed(ValueSeed(depth))?));
        }
        match Object::from_members(members) {
            Ok(object) => Ok(Value::Object(object)),
            Err(key) => Err(A::Error::custom(format_args!("duplicate key `{}`", quote(&key)))),
        }
    }

    /// Takes an exact number from [`ExactNumber`]; JSON has no enums of its own.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        match data.variant::<String>()? {
            (name, text) if name == EXACT => {
                let text: String = text.newtype_variant()?;
                Decimal::parse(&text).map(Value::Number).map_err(A::Error::custom)
            }
            (name, _) => Err(A::Error::custom(format_args!("enum variant `{}`", quote(&name)))),
        }
    }
}

/// Hands values out to whatever type is read.
#[derive(Clone, Copy)]
struct Source<'de>(&'de Value);

impl<'de> Source<'de> {
    fn unfit<T>(self, expected: &dyn Expected) -> Result<T, Mismatch> {
        let found = match self.0 {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Number(number) => match number.to_i64() {
                Some(integer) => Unexpected::Signed(integer),
                None => {
                    let text = format_args!("number {number}, expected {expected}");
                    return Err(Mismatch::custom(text));
                }
            },
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
            Value::Object(_) => Unexpected::Map,
        };
        Err(Mismatch::invalid_type(found, expected))
    }
}

impl<'de> Deserializer<'de> for Source<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => {
                if let Some(integer) = number.to_u64() {
                    visitor.visit_u64(integer)
                } else if let Some(integer) = number.to_i64() {
                    visitor.visit_i64(integer)
                } else {
                    self.deserialize_f64(visitor)
                }
            }
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(values) => {
                let mut elements = Elements { rest: values.iter(), next: 0 };
                let read = visitor.visit_seq(&mut elements)?;
                match elements.rest.len() {
                    0 => Ok(read),
                    _ => Err(Mismatch::invalid_length(values.len(), &"fewer elements")),
                }
            }
            Value::Object(object) => {
                let mut entries = Entries { rest: object.iter(), current: None };
                let read = visitor.visit_map(&mut entries)?;
                match entries.rest.len() {
                    0 => Ok(read),
                    _ => Err(Mismatch::invalid_length(object.len(), &"fewer members")),
                }
            }
        }
    }

    /// Gives a float only where it stands for the same number.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Number(number) = self.0 else {
            return self.deserialize_any(visitor);
        };
        match number.to_shortest() {
            Some(float) => visitor.visit_f64(float),
            None => self.unfit(&visitor),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        let Value::Number(number) = self.0 else {
            return self.deserialize_any(visitor);
        };
        match number.to_string().parse::<f32>() {
            Ok(float) if Decimal::parse(&format!("{float:e}")) == Ok(*number) => {
                visitor.visit_f32(float)
            }
            _ => self.unfit(&visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Number(number) if number.is_integer() => match number.to_i128() {
                Some(integer) => visitor.visit_i128(integer),
                None => self.unfit(&visitor),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Number(number) if number.is_integer() => {
                match number.to_i128().map(u128::try_from) {
                    Some(Ok(integer)) => visitor.visit_u128(integer),
                    _ => self.unfit(&visitor),
                }
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Number(number) if name == EXACT => visitor.visit_enum(ExactNumber(*number)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    /// Fills structs from objects alone: an array would leave the names of the fields unsaid.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Object(_) => self.deserialize_any(visitor),
            _ => self.unfit(&visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let (variant, content) = match self.0 {
            Value::String(variant) => (variant.as_str(), None),
            Value::Object(object) => match (object.iter().next(), object.len()) {
                (Some((variant, content)), 1) => (variant, Some(content)),
                _ => {
                    return Err(Mismatch::invalid_length(object.len(), &"one member, a variant"));
                }
            },
            _ => return self.unfit(&"a variant's name, or an object with one member"),
        };
        visitor.visit_enum(Variant { variant, content })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map identifier
    }
}

struct Elements<'de> {
    rest: std::slice::Iter<'de, Value>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Elements<'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some(value) = self.rest.next() else {
            return Ok(None);
        };
        let index = self.next;
        self.next += 1;
        let read = seed.deserialize(Source(value));
        read.map(Some).map_err(|error| error.inside(&index.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Entries<'de> {
    rest: Members<'de>,
    current: Option<(&'de str, &'de Value)>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        self.current = self.rest.next();
        match self.current {
            Some((key, _)) => seed.deserialize(Key(key)).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let Some((key, value)) = self.current.take() else {
            return Err(Mismatch::custom("a member was asked for its value twice"));
        };
        seed.deserialize(Source(value)).map_err(|error| error.inside(key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A key: a string, also where a newtype or the name of a variant is wanted.
struct Key<'de>(&'de str);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_enum(Variant { variant: self.0, content: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// An enum as `serde` tags it externally.
struct Variant<'de> {
    variant: &'de str,
    content: Option<&'de Value>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Mismatch;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'de>), Mismatch> {
        let name = seed.deserialize(Key(self.variant))?;
        let Self { variant, content } = self;
        Ok((name, Content { variant, content }))
    }
}

/// What stands under the name of a variant.
struct Content<'de> {
    variant: &'de str,
    content: Option<&'de Value>,
}

impl<'de> Content<'de> {
    fn read<T>(self, read: impl FnOnce(Source<'de>) -> Result<T, Mismatch>) -> Result<T, Mismatch> {
        match self.content {
            Some(value) => read(Source(value)).map_err(|error| error.inside(self.variant)),
            None => Err(Mismatch::custom(format_args!(
                "variant `{}` without its content",
                quote(self.variant)
            ))),
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        match self.content {
            None => Ok(()),
            Some(_) => self.read(Deserialize::deserialize),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        self.read(|source| seed.deserialize(source))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mismatch> {
        self.read(|source| match source.0 {
            Value::Array(_) => source.deserialize_any(visitor),
            _ => source.unfit(&visitor),
        })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.read(|source| source.deserialize_struct("", fields, visitor))
    }
}

/// Hands a number to [`ValueVisitor`] with all its digits, as a variant whose name nothing else has.
struct ExactNumber(Decimal);

impl<'de> EnumAccess<'de> for ExactNumber {
    type Error = Mismatch;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Mismatch> {
        Ok((seed.deserialize(StrDeserializer::new(EXACT))?, self))
    }
}

impl<'de> VariantAccess<'de> for ExactNumber {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        Err(Mismatch::custom(PRIVATE))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        seed.deserialize(StringDeserializer::new(self.0.to_string()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Mismatch> {
        Err(Mismatch::custom(PRIVATE))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Mismatch> {
        Err(Mismatch::custom(PRIVATE))
    }
}

/// Why a value does not fit a type, and where, innermost step first.
#[derive(Debug)]
struct Mismatch {
    message: String,
    path: Vec<String>,
}

impl Mismatch {
    fn inside(mut self, step: &str) -> Self {
        // JSON pointer, RFC 6901.
        let step = quote(step).replace('~', "~0").replace('/', "~1");
        self.path.push(step);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.path.is_empty() {
            return Ok(());
        }
        let hidden = self.path.len().saturating_sub(MAX_STEPS);
        let start = if hidden > 0 { "…" } else { "" };
        write!(f, " at `{start}")?;
        let shown = self.path.iter().take(MAX_STEPS).rev();
        shown.into_iter().try_for_each(|step| write!(f, "/{step}"))?;
        f.write_str("`")
    }
}

impl std::error::Error for Mismatch {}

/// The messages are `serde`'s, with each piece of input cut.
impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self { message: message(format_args!("{text}")), path: Vec::new() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Unit => Self::custom(format_args!("null, expected {expected}")),
            Unexpected::Str(text) => {
                Self::custom(format_args!("string `{}`, expected {expected}", quote(text)))
            }
            Unexpected::Map => Self::custom(format_args!("object, expected {expected}")),
            Unexpected::Seq => Self::custom(format_args!("array, expected {expected}")),
            found => Self::custom(format_args!("{found}, expected {expected}")),
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("variant", name, expected)
    }

    fn unknown_field(name: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown("field", name, expected)
    }
}

impl Mismatch {
    fn unknown(what: &str, name: &str, expected: &'static [&'static str]) -> Self {
        let (name, expected) = (quote(name), expected.join("`, `"));
        if expected.is_empty() {
            return Self::custom(format_args!("unknown {what} `{name}`, expected none"));
        }
        Self::custom(format_args!("unknown {what} `{name}`, expected `{expected}`"))
    }
}

/// The newtype that a [`Value`] asks for, and the variant in which [`Source`] answers.
const EXACT: &str = "$countersign::value::Exact";
const PRIVATE: &str = "an exact number is handed over as a newtype variant";
/// The key under which `serde_json`, built with `arbitrary_precision`, hands out numbers. Taking it
/// for an object would make a number something else, so it is refused.
const SERDE_JSON_NUMBER: &str = "$serde_json::private::Number";
/// Every decimal of so many digits survives the way through an `f64`.
const FLOAT_DIGITS: u32 = 15;
/// How many steps of a path a message shows.
const MAX_STEPS: usize = 8;
