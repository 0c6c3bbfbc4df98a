//! What is done with receipts later, by people who were not there.
//!
//! [`replay`] decides recorded calls again and says whether the same comes out.

pub mod replay;
