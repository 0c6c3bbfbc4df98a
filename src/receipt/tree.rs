//! Trees over lines: RFC 6962 §2.1 with SHA-256 (receipt-format §3).
//!
//! A chain shows that nothing was changed to whoever reads all of it. A tree shows that one line is
//! among many, or that many lines continue fewer, to somebody who reads a few hashes.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::form::{Field, FormError, Reader};
use crate::hex;

/// Thirty-two bytes of SHA-256 in a tree over lines, shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeHash([u8; 32]);

impl TreeHash {
    /// Hashes a line, without its line end, as a leaf.
    #[must_use]
    pub fn of_line(line: &[u8]) -> Self {
        Self(Sha256::new().chain_update([0]).chain_update(line).finalize().into())
    }

    /// Hashes two neighbours.
    #[must_use]
    pub fn of_children(left: &Self, right: &Self) -> Self {
        let mut node = [1; 65];
        let (head, tail) = node.split_at_mut(33);
        head.iter_mut().skip(1).zip(&left.0).for_each(|(to, from)| *to = *from);
        tail.iter_mut().zip(&right.0).for_each(|(to, from)| *to = *from);
        Self(Sha256::digest(node).into())
    }

    /// Wraps bytes that are a hash already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses 64 lower-case hex digits; anything else is `None`.
    #[must_use]
    pub fn parse_hex(text: &str) -> Option<Self> {
        hex::parse(text.as_bytes()).map(Self)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::text(&self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> Field<'a> for TreeHash {
    fn write(&self, out: &mut String) {
        self.0.write(out);
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self, FormError> {
        reader.hex().map(Self)
    }
}

/// A tree that only grows, of which nothing is kept but the roots of its complete parts: at most 64.
///
/// # Examples
///
/// ```
/// use countersign::receipt::{Frontier, TreeHash};
///
/// let [first, second] = [TreeHash::of_line(b"first"), TreeHash::of_line(b"second")];
/// let mut tree = Frontier::new();
/// tree.push(first);
/// assert_eq!(tree.root(), first);
/// tree.push(second);
/// assert_eq!(tree.root(), TreeHash::of_children(&first, &second));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete parts, the largest first: one for each bit that is set in `size`.
    peaks: Vec<TreeHash>,
}

impl Frontier {
    /// Returns the tree without a leaf.
    #[must_use]
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// Goes on with a tree of `size` leaves; nothing where `peaks` are not the roots of so many.
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<TreeHash>) -> Option<Self> {
        (size.count_ones() as usize == peaks.len()).then_some(Self { size, peaks })
    }

    /// Returns the roots of the complete parts, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[TreeHash] {
        &self.peaks
    }

    /// Returns how many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf at the end.
    pub fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = TreeHash::of_children(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// Returns the root; without a leaf it is the hash of nothing.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let join = |right: TreeHash, left: &TreeHash| TreeHash::of_children(left, &right);
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(last) => peaks.fold(*last, join),
            None => TreeHash(Sha256::digest([]).into()),
        }
    }
}

/// A tree of which every hash is kept, 64 bytes for each leaf, so that it can prove any of them.
///
/// # Examples
///
/// ```
/// use countersign::receipt::{Tree, TreeHash};
///
/// let leaves = ["a", "b", "c"].map(|line| TreeHash::of_line(line.as_bytes()));
/// let tree: Tree = leaves.into_iter().collect();
/// let proof = tree.inclusion(1, 3).expect("there are three leaves");
/// assert!(proof.proves(&leaves[1], &tree.root(3).expect("there are three leaves")));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Level 0 are the leaves; level n the roots of the complete parts of 2^n leaves.
    levels: Vec<Vec<TreeHash>>,
}

impl Tree {
    /// Returns the tree without a leaf.
    #[must_use]
    pub const fn new() -> Self {
        Self { levels: Vec::new() }
    }

    /// Adds a leaf at the end.
    pub fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        for height in 0.. {
            if self.levels.len() == height {
                self.levels.push(Vec::new());
            }
            let Some(level) = self.levels.get_mut(height) else { return };
            level.push(hash);
            match level.as_slice() {
                [.., left, right] if level.len() % 2 == 0 => {
                    hash = TreeHash::of_children(left, right);
                }
                _ => return,
            }
        }
    }

    /// Returns how many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Returns the root over the first `size` leaves; nothing where there are fewer, or for none.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<TreeHash> {
        (size > 0).then(|| self.part(0, size)).flatten()
    }

    /// Proves that leaf `index` is among the first `size`; nothing where there are fewer.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<InclusionProof> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut low, mut high) = (0, size);
        let mut hashes = Vec::new();
        while high - low > 1 {
            let middle = low + split(high - low);
            if index < middle {
                hashes.push(self.part(middle, high)?);
                high = middle;
            } else {
                hashes.push(self.part(low, middle)?);
                low = middle;
            }
        }
        hashes.reverse();
        Some(InclusionProof { index, size, hashes })
    }

    /// Proves that the tree over the first `second` leaves continues that over the first `first`;
    /// nothing where there are fewer, or for `first` of none.
    #[must_use]
    pub fn consistency(&self, first: u64, second: u64) -> Option<ConsistencyProof> {
        if first == 0 || first > second || second > self.size() {
            return None;
        }
        let (mut low, mut high) = (0, second);
        let mut hashes = Vec::new();
        while high > first {
            let middle = low + split(high - low);
            if first <= middle {
                hashes.push(self.part(middle, high)?);
                high = middle;
            } else {
                hashes.push(self.part(low, middle)?);
                low = middle;
            }
        }
        // The first tree itself needs no proof.
        if low > 0 {
            hashes.push(self.part(low, high)?);
        }
        hashes.reverse();
        Some(ConsistencyProof { first, second, hashes })
    }

    /// Returns the root over the leaves from `low` to before `high`, where `low` is a multiple of the
    /// largest power of two that is not above `high - low`.
    fn part(&self, low: u64, high: u64) -> Option<TreeHash> {
        let mut parts = Vec::new();
        let mut low = low;
        while low < high {
            let height = (high - low).ilog2();
            let level = self.levels.get(height as usize)?;
            parts.push(*level.get(usize::try_from(low >> height).ok()?)?);
            low += 1 << height;
        }
        parts.into_iter().rev().reduce(|right, left| TreeHash::of_children(&left, &right))
    }
}

impl FromIterator<TreeHash> for Tree {
    fn from_iter<I: IntoIterator<Item = TreeHash>>(leaves: I) -> Self {
        let mut tree = Self::new();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }
}

/// The largest power of two below `size`, which is at least 2.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Shows that a leaf is in a tree (RFC 6962 §2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    index: u64,
    size: u64,
    hashes: Vec<TreeHash>,
}

impl InclusionProof {
    /// Puts a proof together; whether it proves anything is for [`proves`](Self::proves) to tell.
    #[must_use]
    pub const fn new(index: u64, size: u64, hashes: Vec<TreeHash>) -> Self {
        Self { index, size, hashes }
    }

    /// Returns the position of the leaf.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Returns how many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the hashes, from the leaf's neighbour up.
    #[must_use]
    pub fn hashes(&self) -> &[TreeHash] {
        &self.hashes
    }

    /// Tells whether `leaf` is where the proof says, in the tree with the root `root`.
    #[must_use]
    pub fn proves(&self, leaf: &TreeHash, root: &TreeHash) -> bool {
        self.root_with(leaf) == Some(*root)
    }

    /// RFC 9162 §2.1.3.2.
    fn root_with(&self, leaf: &TreeHash) -> Option<TreeHash> {
        if self.index >= self.size {
            return None;
        }
        let (mut at, mut last) = (self.index, self.size - 1);
        let mut hash = *leaf;
        for other in &self.hashes {
            if last == 0 {
                return None;
            }
            if at & 1 == 1 || at == last {
                hash = TreeHash::of_children(other, &hash);
                // A last part without a neighbour rises until it has one; `at` is not 0 here.
                let alone = at.trailing_zeros();
                (at, last) = (at >> alone, last >> alone);
            } else {
                hash = TreeHash::of_children(&hash, other);
            }
            (at, last) = (at >> 1, last >> 1);
        }
        (last == 0).then_some(hash)
    }
}

/// Shows that a tree continues a smaller one (RFC 6962 §2.1.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    first: u64,
    second: u64,
    hashes: Vec<TreeHash>,
}

impl ConsistencyProof {
    /// Puts a proof together; whether it proves anything is for [`proves`](Self::proves) to tell.
    #[must_use]
    pub const fn new(first: u64, second: u64, hashes: Vec<TreeHash>) -> Self {
        Self { first, second, hashes }
    }

    /// Returns the hashes in the order of RFC 6962.
    #[must_use]
    pub fn hashes(&self) -> &[TreeHash] {
        &self.hashes
    }

    /// Tells whether the tree with root `second` begins with all leaves of that with root `first`.
    #[must_use]
    pub fn proves(&self, first: &TreeHash, second: &TreeHash) -> bool {
        self.holds(first, second) == Some(true)
    }

    /// RFC 9162 §2.1.4.2; nothing where the proof has the wrong shape.
    fn holds(&self, first: &TreeHash, second: &TreeHash) -> Option<bool> {
        if self.first == 0 || self.first > self.second {
            return None;
        }
        if self.first == self.second {
            return Some(self.hashes.is_empty() && first == second);
        }
        let mut hashes = self.hashes.iter();
        let start = if self.first.is_power_of_two() { *first } else { *hashes.next()? };
        let shift = (self.first - 1).trailing_ones();
        let (mut at, mut last) = ((self.first - 1) >> shift, (self.second - 1) >> shift);
        let (mut old, mut new) = (start, start);
        for other in hashes {
            if last == 0 {
                return None;
            }
            if at & 1 == 1 || at == last {
                old = TreeHash::of_children(other, &old);
                new = TreeHash::of_children(other, &new);
                let alone = at.trailing_zeros();
                (at, last) = (at >> alone, last >> alone);
            } else {
                new = TreeHash::of_children(&new, other);
            }
            (at, last) = (at >> 1, last >> 1);
        }
        Some(last == 0 && old == *first && new == *second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The leaves and roots with which implementations of Certificate Transparency test their trees.
    const LEAVES: [&str; 8] = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn bytes(digits: &str) -> Vec<u8> {
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.as_bytes().chunks(2).map(byte).collect()
    }

    fn tree(size: u64) -> Tree {
        (0..size).map(|number| TreeHash::of_line(&number.to_le_bytes())).collect()
    }

    #[test]
    fn roots_are_those_of_rfc_6962() {
        let (mut frontier, mut tree) = (Frontier::new(), Tree::new());
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(frontier.root().to_string(), nothing);
        for (at, (leaf, root)) in LEAVES.iter().zip(ROOTS).enumerate() {
            let leaf = TreeHash::of_line(&bytes(leaf));
            frontier.push(leaf);
            tree.push(leaf);
            assert_eq!(frontier.root().to_string(), root, "{at}");
            assert_eq!(tree.root(at as u64 + 1).unwrap().to_string(), root, "{at}");
        }
        assert_eq!((tree.root(0), tree.root(9)), (None, None));
    }

    #[test]
    fn a_frontier_goes_on_from_its_peaks() {
        let mut whole = Frontier::new();
        for number in 0_u64..70 {
            let peaks = whole.peaks().to_vec();
            let again = Frontier::from_peaks(number, peaks.clone()).unwrap();
            assert_eq!(again, whole);
            assert_eq!(Frontier::from_peaks(number + 1, peaks).is_some(), {
                number.count_ones() == (number + 1).count_ones()
            });
            whole.push(TreeHash::of_line(&number.to_le_bytes()));
        }
    }

    #[test]
    fn every_leaf_is_proven_and_only_where_it_is() {
        let tree = tree(40);
        for size in 1..=40 {
            let root = tree.root(size).unwrap();
            for index in 0..size {
                let leaf = TreeHash::of_line(&index.to_le_bytes());
                let proof = tree.inclusion(index, size).unwrap();
                assert!(proof.proves(&leaf, &root), "{index} of {size}");
                let other = TreeHash::of_line(&(index + 1).to_le_bytes());
                assert!(!proof.proves(&other, &root));
                for wrong in [index + 1, index ^ 1, size, u64::MAX] {
                    let wrong = InclusionProof { index: wrong, ..proof.clone() };
                    assert!(wrong == proof || !wrong.proves(&leaf, &root));
                }
                let mut long = proof.clone();
                long.hashes.push(root);
                assert!(!long.proves(&leaf, &root));
                let mut short = proof.clone();
                assert!(short.hashes.pop().is_none() || !short.proves(&leaf, &root));
            }
        }
        assert_eq!((tree.inclusion(0, 41), tree.inclusion(3, 3)), (None, None));
        let none = InclusionProof::new(0, 0, Vec::new());
        assert!(!none.proves(&TreeHash([0; 32]), &TreeHash([0; 32])));
    }

    #[test]
    fn every_beginning_is_proven_and_no_other() {
        let tree = tree(40);
        for second in 1..=40 {
            let new = tree.root(second).unwrap();
            for first in 1..=second {
                let old = tree.root(first).unwrap();
                let proof = tree.consistency(first, second).unwrap();
                assert!(proof.proves(&old, &new), "{first} of {second}");
                assert!(!proof.proves(&TreeHash([7; 32]), &new));
                assert!(!proof.proves(&old, &TreeHash([7; 32])));
                let mut long = proof.clone();
                long.hashes.push(new);
                assert!(!long.proves(&old, &new));
                let mut short = proof.clone();
                assert!(short.hashes.pop().is_none() || !short.proves(&old, &new));
            }
        }
        assert_eq!((tree.consistency(0, 3), tree.consistency(4, 3)), (None, None));
        assert!(
            !ConsistencyProof::new(0, 3, Vec::new()).proves(&TreeHash([0; 32]), &TreeHash([0; 32]))
        );
    }
}
