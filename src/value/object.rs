//! The members of a JSON object: sorted, each key once.

use super::Value;

/// The members of a JSON object, sorted by the bytes of their keys.
///
/// Lookup is a binary search. To build a large object collect it from an iterator;
/// [`insert`](Self::insert) moves what lies behind the new member.
///
/// # Examples
///
/// ```
/// use countersign::value::{Object, Value};
///
/// let members = [("b".to_owned(), Value::from(2_u64)), ("a".to_owned(), Value::Null)];
/// let object: Object = members.into_iter().collect();
/// assert_eq!(object.get("b"), Some(&Value::from(2_u64)));
/// assert_eq!(Value::from(object).to_canonical(), r#"{"a":null,"b":2}"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Object(
    // INVARIANT: keys ascend strictly. Lookup, equality, hashing and the canonical text rely on it.
    Vec<(String, Value)>,
);

impl Object {
    /// Appends the canonical text of the object to `out`.
    pub fn write_canonical(&self, out: &mut String) {
        super::canonical::write_object(self, out);
    }

    /// Makes an object without members.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sorts `members`, or returns a key that occurs twice.
    pub(super) fn from_members(mut members: Vec<(String, Value)>) -> Result<Self, String> {
        // Canonical text arrives in order, and then one pass is all there is to do.
        if !ascends(&members) {
            members.sort_unstable_by(|left, right| left.0.cmp(&right.0));
            let mut pairs = members.iter().zip(members.iter().skip(1));
            if let Some(twin) = pairs.position(|(left, right)| left.0 == right.0) {
                return Err(members.swap_remove(twin).0);
            }
        }
        Ok(Self(members))
    }

    /// Sets a member and returns the value that it replaces.
    pub fn insert(&mut self, key: String, value: Value) -> Option<Value> {
        match self.find(&key) {
            Ok(index) => self.0.get_mut(index).map(|(_, old)| std::mem::replace(old, value)),
            Err(index) => {
                self.0.insert(index, (key, value));
                None
            }
        }
    }

    /// Removes a member and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let index = self.find(key).ok()?;
        Some(self.0.remove(index).1)
    }

    /// Returns the value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let index = self.find(key).ok()?;
        self.0.get(index).map(|(_, value)| value)
    }

    /// Iterates over the members in the order of their keys.
    pub fn iter(&self) -> Members<'_> {
        Members(self.0.iter())
    }

    /// Returns the number of members.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Reports whether there are no members.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_str().cmp(key))
    }
}

/// The last of several members with one key wins.
impl FromIterator<(String, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        let mut members: Vec<_> = members.into_iter().collect();
        if !ascends(&members) {
            members.sort_by(|left, right| left.0.cmp(&right.0));
            members.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        Self(members)
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = (&'a str, &'a Value);
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Members<'a> {
        self.iter()
    }
}

/// Iterates over the members of an [`Object`] in the order of their keys.
#[derive(Clone, Debug)]
pub struct Members<'a>(std::slice::Iter<'a, (String, Value)>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key.as_str(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Members<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(|(key, value)| (key.as_str(), value))
    }
}

impl ExactSizeIterator for Members<'_> {}

fn ascends(members: &[(String, Value)]) -> bool {
    members.is_sorted_by(|left, right| left.0 < right.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn object(keys: &[&str]) -> Object {
        let number = |index: usize| Value::from(index as u64);
        keys.iter().enumerate().map(|(index, key)| ((*key).to_owned(), number(index))).collect()
    }

    #[test]
    fn keys_are_sorted_by_bytes_and_the_last_wins() {
        fn check(keys: &[&str], expected: &str) {
            assert_eq!(Value::from(object(keys)).to_canonical(), expected);
        }
        check(&[], "{}");
        check(&["b", "a"], r#"{"a":1,"b":0}"#);
        check(&["a", "a"], r#"{"a":1}"#);
        check(&["b", "a", "b", "a", "b"], r#"{"a":3,"b":4}"#);
        check(&["", "B", "a", "aa", "Z"], r#"{"":0,"B":1,"Z":4,"a":2,"aa":3}"#);
        check(&["\u{1f600}", "\u{ffff}"], "{\"\u{ffff}\":1,\"\u{1f600}\":0}");
    }

    #[test]
    fn iterates_from_both_ends() {
        let object = object(&["c", "a", "b"]);
        let keys =
            |members: Members<'_>| members.map(|(key, _)| key.to_owned()).collect::<String>();
        assert_eq!(keys(object.iter()), "abc");
        assert_eq!(object.iter().len(), 3);
        assert_eq!(object.iter().next_back().map(|(key, _)| key), Some("c"));
        assert_eq!((&object).into_iter().count(), object.into_iter().count());
    }

    proptest! {
        #[test]
        fn behaves_like_a_map(steps in prop::collection::vec(("[a-d]{0,2}", any::<Option<u8>>()), 0..40)) {
            let (mut object, mut map) = (Object::new(), BTreeMap::new());
            for (key, step) in steps {
                match step {
                    Some(number) => {
                        let value = Value::from(u64::from(number));
                        prop_assert_eq!(object.insert(key.clone(), value.clone()), map.insert(key, value));
                    }
                    None => prop_assert_eq!(object.remove(&key), map.remove(&key)),
                }
            }
            prop_assert_eq!(object.len(), map.len());
            prop_assert_eq!(object.is_empty(), map.is_empty());
            prop_assert!(map.iter().all(|(key, value)| object.get(key) == Some(value)));
            prop_assert_eq!(&map.into_iter().collect::<Object>(), &object);
        }
    }
}
