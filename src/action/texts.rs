//! Texts of facts and targets: shared, because the same ones stand in many places.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crate::action::path::ResolvedPath;

/// A text that does not change; a clone shares it.
///
/// # Examples
///
/// ```
/// use countersign::action::SharedText;
///
/// let host = SharedText::from("db.internal".to_owned());
/// assert_eq!(host.clone(), "db.internal");
/// assert!(host.ends_with(".internal"));
/// ```
#[derive(Clone)]
pub struct SharedText(Repr);

#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Arc<str>),
}

impl SharedText {
    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(text) => text,
            Repr::Shared(text) => text,
        }
    }
}

impl Deref for SharedText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for SharedText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for SharedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.as_str(), f)
    }
}

impl PartialEq for SharedText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for SharedText {}

impl PartialEq<str> for SharedText {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for SharedText {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl From<&'static str> for SharedText {
    fn from(text: &'static str) -> Self {
        Self(Repr::Static(text))
    }
}

impl From<Arc<str>> for SharedText {
    fn from(text: Arc<str>) -> Self {
        Self(Repr::Shared(text))
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<Box<str>> for SharedText {
    fn from(text: Box<str>) -> Self {
        Arc::<str>::from(text).into()
    }
}

impl From<Cow<'static, str>> for SharedText {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl From<&ResolvedPath> for SharedText {
    fn from(path: &ResolvedPath) -> Self {
        path.shared().into()
    }
}

/// Where a text of a list begins in the text of all, and where it ends.
type Place = (usize, usize);

/// Texts one after the other, in one piece; a clone shares it.
#[derive(Clone, Default)]
pub(crate) struct TextList(Option<Texts>);

/// At least one text.
#[derive(Clone)]
struct Texts {
    all: Arc<str>,
    places: Arc<[Place]>,
}

impl TextList {
    pub(crate) fn new<T: AsRef<str>>(texts: &[T]) -> Self {
        Self::new_in(&mut String::new(), texts)
    }

    /// As [`new`](Self::new), with a `buffer` that keeps its room for the next list.
    pub(crate) fn new_in<T: AsRef<str>>(buffer: &mut String, texts: &[T]) -> Self {
        if texts.is_empty() {
            return Self::default();
        }
        buffer.clear();
        buffer.reserve(texts.iter().map(|text| text.as_ref().len()).sum());
        let add = |text: &T| {
            let start = buffer.len();
            buffer.push_str(text.as_ref());
            (start, buffer.len())
        };
        let places = texts.iter().map(add).collect();
        Self(Some(Texts { all: buffer.as_str().into(), places }))
    }

    fn parts(&self) -> (&str, &[Place]) {
        self.0.as_ref().map_or(("", &[]), |texts| (&*texts.all, &*texts.places))
    }

    pub(crate) fn len(&self) -> usize {
        self.parts().1.len()
    }

    /// How long all texts are together.
    pub(crate) fn bytes(&self) -> usize {
        self.parts().0.len()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        let (all, places) = self.parts();
        places.iter().map(move |place| at(all, place))
    }

    /// Returns the set of the texts, which shares them.
    pub(crate) fn to_set(&self) -> TextSet {
        let Some(Texts { all, places }) = &self.0 else { return TextSet::default() };
        let compare = |one: &Place, other: &Place| at(all, one).cmp(at(all, other));
        if places.is_sorted_by(|one, next| compare(one, next).is_lt()) {
            return TextSet(self.clone());
        }
        let mut places = Arc::<[Place]>::from(&**places);
        Arc::make_mut(&mut places).sort_unstable_by(compare);
        let next = places.iter().skip(1);
        if places.iter().zip(next).any(|(one, next)| compare(one, next).is_eq()) {
            let mut few = places.to_vec();
            few.dedup_by(|one, other| compare(one, other).is_eq());
            places = few.into();
        }
        TextSet(Self(Some(Texts { all: Arc::clone(all), places })))
    }
}

fn at<'a>(all: &'a str, (start, end): &Place) -> &'a str {
    all.get(*start..*end).unwrap_or_default()
}

impl PartialEq for TextList {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for TextList {}

impl fmt::Debug for TextList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A set of texts: sorted by their bytes, none of them twice. A clone shares them.
///
/// # Examples
///
/// ```
/// use countersign::action::TextSet;
///
/// let classes = TextSet::from(["public", "internal", "public"]);
/// assert_eq!(classes.iter().collect::<Vec<_>>(), ["internal", "public"]);
/// assert!(classes.contains("public"));
/// ```
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TextSet(TextList);

impl TextSet {
    /// Returns how many texts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Iterates over the texts, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.iter()
    }

    /// Says whether `text` is one of them.
    #[must_use]
    pub fn contains(&self, text: &str) -> bool {
        let (all, places) = self.0.parts();
        places.binary_search_by(|place| at(all, place).cmp(text)).is_ok()
    }
}

impl fmt::Debug for TextSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl<T: AsRef<str>> From<&[T]> for TextSet {
    fn from(texts: &[T]) -> Self {
        TextList::new(texts).to_set()
    }
}

impl<T: AsRef<str>> From<Vec<T>> for TextSet {
    fn from(texts: Vec<T>) -> Self {
        texts.as_slice().into()
    }
}

impl<T: AsRef<str>, const N: usize> From<[T; N]> for TextSet {
    fn from(texts: [T; N]) -> Self {
        texts.as_slice().into()
    }
}

impl<T: AsRef<str>> FromIterator<T> for TextSet {
    fn from_iter<I: IntoIterator<Item = T>>(texts: I) -> Self {
        texts.into_iter().collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_keeps_its_order_and_a_set_sorts() {
        let check = |texts: &[&str], set: &[&str]| {
            let list = TextList::new(texts);
            assert!(list.iter().eq(texts.iter().copied()));
            assert_eq!(list.bytes(), texts.concat().len());
            assert_eq!(list.to_set().iter().collect::<Vec<_>>(), set, "{texts:?}");
            assert!(set.iter().all(|text| list.to_set().contains(text)));
            assert!(!list.to_set().contains("no"));
        };
        check(&[], &[]);
        check(&[""], &[""]);
        check(&["a", "b"], &["a", "b"]);
        check(&["b", "", "a", "b"], &["", "a", "b"]);
        check(&["ab", "a"], &["a", "ab"]);
    }

    #[test]
    fn sets_are_equal_by_what_they_hold() {
        assert_eq!(TextSet::from(["b", "a", "a"]), TextSet::from(["a", "b"]));
        assert_ne!(TextSet::from(["ab", "c"]), TextSet::from(["a", "bc"]));
        assert_eq!(TextSet::default(), TextSet::from([""; 0]));
    }

    #[test]
    fn texts_are_equal_however_they_are_held() {
        assert_eq!(SharedText::from("a"), SharedText::from("a".to_owned()));
        assert_eq!(SharedText::from(Cow::Borrowed("a")), "a");
    }
}
