//! Proof of possession: the instance signs a fresh challenge with the key it was enrolled with.
//!
//! ```text
//! verifier: challenge(id) ──▶ 32 random bytes, for one audience and one id, until a time
//! agent:    Challenge::answer(audience, id, signer) ──▶ Answer
//! verifier: verify(answer) ──▶ VerifiedIdentity, once
//! ```
//!
//! What is signed with Ed25519 (RFC 8032), strictly verified; each length is 4 bytes, little-endian:
//!
//! ```text
//! "countersign possession v1\n" ‖ length ‖ audience ‖ length ‖ id ‖ 32 ‖ challenge ‖ 8 ‖ expires
//!                                                                    expires: milliseconds, LE
//! ```
//!
//! # Examples
//!
//! ```
//! use countersign::entropy::SystemEntropy;
//! use countersign::identity::{IdentityVerifier, PossessionVerifier, PrincipalKind, SpiffeId};
//! use countersign::receipt::IdentityKey;
//! use countersign::time::SystemClock;
//!
//! // The host starts an instance and enrols the public half of the key that it was given.
//! let id = SpiffeId::parse("spiffe://example.org/agent/coder/instance/7")?;
//! let key = IdentityKey::generate(&SystemEntropy)?;
//! let verifier = PossessionVerifier::new("build-host-3", SystemClock::new()?, SystemEntropy)?;
//! verifier.enroll(&id, key.trusted(), PrincipalKind::Agent)?;
//!
//! // The instance answers a challenge; the texts can cross a socket.
//! let challenge = verifier.challenge(&id)?;
//! let answer = challenge.answer("build-host-3", &id, &key)?;
//!
//! let identity = verifier.verify(&answer)?;
//! assert_eq!(identity.id(), &id);
//! assert_eq!(verifier.verify(&answer).unwrap_err().code(), "identity.challenge_used");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{
    IdentityError, IdentityVerifier, MAX_AUDIENCE_BYTES, MAX_KNOWN, PrincipalKind, Proof,
    SetupError, SpiffeId, VerifiedIdentity, audience,
};
use crate::entropy::{Entropy, EntropyError};
use crate::hex;
use crate::receipt::{SignError, Signer, TrustedKey};
use crate::text::check_visible;
use crate::time::{Clock, Timestamp};
use crate::value::{Limits, Object, Value};

/// How long a challenge may be answered, unless the host says otherwise.
///
/// An instance that is up answers in milliseconds; a minute leaves room for one that starts.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);

/// The longest time that a host can give a challenge.
pub const MAX_LIFETIME: Duration = Duration::from_secs(600);

/// The most challenges of all instances that are remembered at once: some 300 kB.
pub const MAX_OUTSTANDING: usize = 1024;

/// The most challenges of one instance that can be answered at once, so that one name cannot use up
/// the room of all.
pub const MAX_OUTSTANDING_EACH: usize = 8;

/// The longest text of a challenge or an answer, in bytes.
pub const MAX_TEXT_BYTES: usize = 8 << 10;

/// Verifies that an instance holds the key that it was enrolled with.
///
/// Every instance has a key of its own: a second key for an enrolled instance is refused, and so is
/// one key for two instances.
///
/// # Security
///
/// The key must reach the instance and nobody else, and the enrolment must come from whoever started
/// the instance, never from the instance itself. The proof holds for the moment and the connection on
/// which the answer arrives: the host must tie the session to that connection. Anybody who may ask for
/// challenges can use up the room for them (a denial, `identity.too_many_challenges`), so ask for
/// one only where the instance is connected.
pub struct PossessionVerifier {
    audience: Arc<str>,
    lifetime: Duration,
    clock: Box<dyn Clock>,
    entropy: Box<dyn Entropy>,
    state: Mutex<State>,
}

impl PossessionVerifier {
    /// Makes a verifier that nobody is enrolled with, under a name that instances sign.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError::Audience`] for a name that is empty, too long, or not plain text.
    ///
    /// # Security
    ///
    /// Two verifiers with one audience accept each other's answers to no challenge but their own, and
    /// an instance cannot tell them apart. Give each a name of its own.
    pub fn new(
        audience: &str,
        clock: impl Clock + 'static,
        entropy: impl Entropy + 'static,
    ) -> Result<Self, SetupError> {
        Ok(Self {
            audience: self::audience(audience)?,
            lifetime: DEFAULT_LIFETIME,
            clock: Box::new(clock),
            entropy: Box::new(entropy),
            state: Mutex::default(),
        })
    }

    /// Sets how long a challenge may be answered; more than [`MAX_LIFETIME`] counts as that.
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.min(MAX_LIFETIME);
        self
    }

    /// Enrols an instance: `id` is whoever signs with `key`, and is of this `kind`.
    ///
    /// Enrolling the same once more changes nothing.
    ///
    /// # Errors
    ///
    /// Returns [`SetupError::SecondKey`] if the instance has another key or kind,
    /// [`SetupError::SharedKey`] if the key is another instance's, [`SetupError::TooMany`] beyond
    /// [`MAX_KNOWN`].
    pub fn enroll(
        &self,
        id: &SpiffeId,
        key: TrustedKey,
        kind: PrincipalKind,
    ) -> Result<(), SetupError> {
        let mut state = self.lock();
        let enrolment = Enrolment { key, kind };
        match state.enrolled.get(id) {
            Some(known) if *known == enrolment => return Ok(()),
            Some(_) => return Err(SetupError::SecondKey { id: id.clone() }),
            None => {}
        }
        if state.keys.contains(key.as_bytes()) {
            return Err(SetupError::SharedKey { id: id.clone() });
        }
        if state.enrolled.len() >= MAX_KNOWN {
            return Err(SetupError::TooMany);
        }
        state.keys.insert(*key.as_bytes());
        state.enrolled.insert(id.clone(), enrolment);
        Ok(())
    }

    /// Forgets an instance and its challenges; false if it was not enrolled.
    ///
    /// Identities that were verified before stay verified: revoke those.
    pub fn withdraw(&self, id: &SpiffeId) -> bool {
        let mut state = self.lock();
        state.outstanding.retain(|_, challenge| challenge.id != *id);
        match state.enrolled.remove(id) {
            Some(Enrolment { key, .. }) => state.keys.remove(key.as_bytes()),
            None => false,
        }
    }

    /// Makes a challenge for the instance `id`.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if the instance is not enrolled, too many challenges wait for their
    /// answers, or clock or entropy fail.
    pub fn challenge(&self, id: &SpiffeId) -> Result<Challenge, IdentityError> {
        let mut nonce = [0; 32];
        self.entropy.fill(&mut nonce).map_err(IdentityError::Entropy)?;
        let mut state = self.lock();
        let now = state.now(&*self.clock)?;
        if !state.enrolled.contains_key(id) {
            return Err(PossessionError::Unknown.into());
        }
        if state.outstanding.contains_key(&nonce) {
            let repeats = EntropyError("it repeats itself".to_owned());
            return Err(IdentityError::Entropy(repeats));
        }
        state.make_room(id, now)?;
        let expires = now.plus(self.lifetime);
        state.outstanding.insert(nonce, Outstanding { id: id.clone(), expires, used: false });
        Ok(Challenge { audience: Arc::clone(&self.audience), id: id.clone(), nonce, expires })
    }

    /// Uses the challenge up, whatever comes of the answer, and returns the enrolment.
    fn take(&self, shown: &Challenge) -> Result<Enrolment, IdentityError> {
        let mut state = self.lock();
        let now = state.now(&*self.clock)?;
        let Some(made) = state.outstanding.get_mut(&shown.nonce) else {
            return Err(PossessionError::ChallengeUnknown.into());
        };
        if std::mem::replace(&mut made.used, true) {
            return Err(PossessionError::ChallengeUsed.into());
        }
        if made.id != shown.id {
            return Err(PossessionError::OtherIdentity.into());
        }
        if made.expires != shown.expires {
            return Err(PossessionError::ChallengeAltered.into());
        }
        if now >= made.expires {
            return Err(PossessionError::ChallengeExpired.into());
        }
        let enrolled = state.enrolled.get(&shown.id).copied();
        Ok(enrolled.ok_or(PossessionError::Unknown)?)
    }

    /// The state is whole after every step, so that a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdentityVerifier for PossessionVerifier {
    type Evidence = Answer;

    /// Verifies that the instance which `answer` names signed a challenge made for it.
    ///
    /// The first answer uses the challenge up, right or wrong.
    fn verify(&self, answer: &Answer) -> Result<VerifiedIdentity, IdentityError> {
        let challenge = &answer.challenge;
        if challenge.audience != self.audience {
            return Err(PossessionError::OtherAudience.into());
        }
        let Enrolment { key, kind } = self.take(challenge)?;
        if !key.verifies(&challenge.message(), &answer.signature) {
            return Err(PossessionError::Signature.into());
        }
        Ok(VerifiedIdentity::proven(challenge.id.clone(), kind, Proof::Possession { key }))
    }
}

impl fmt::Debug for PossessionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("PossessionVerifier")
            .field("audience", &self.audience)
            .field("enrolled", &state.enrolled.len())
            .field("outstanding", &state.outstanding.len())
            .finish_non_exhaustive()
    }
}

/// What an instance is asked to sign.
///
/// It is no secret, and worth nothing to anybody but the instance that it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    audience: Arc<str>,
    id: SpiffeId,
    nonce: [u8; 32],
    expires: Timestamp,
}

impl Challenge {
    /// Returns who asks.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Returns who is asked.
    #[must_use]
    pub const fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// Returns the time from which an answer is too late.
    #[must_use]
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    /// Signs the challenge, on the instance's side.
    ///
    /// `audience` is the verifier that the instance means to talk to, and `id` is the instance; both
    /// come from its own configuration.
    ///
    /// # Errors
    ///
    /// Returns [`AnswerError`] if the challenge is somebody else's, or the signer fails.
    ///
    /// # Security
    ///
    /// A verifier that an instance talks to could pass on the challenge of another one, and act there
    /// with the answer. That is why both names are compared here, before anything is signed.
    pub fn answer(
        &self,
        audience: &str,
        id: &SpiffeId,
        signer: &dyn Signer,
    ) -> Result<Answer, AnswerError> {
        if *audience != *self.audience {
            return Err(AnswerError::OtherAudience);
        }
        if *id != self.id {
            return Err(AnswerError::OtherIdentity);
        }
        let signature = signer.sign(&self.message()).map_err(AnswerError::Signer)?;
        Ok(Answer { challenge: self.clone(), signature })
    }

    /// Reads what [`to_json`](Self::to_json) writes.
    ///
    /// # Errors
    ///
    /// Returns [`PossessionError::TooLong`] beyond [`MAX_TEXT_BYTES`], [`PossessionError::Form`] for
    /// anything that is not an object of exactly these members.
    pub fn parse(text: &[u8]) -> Result<Self, PossessionError> {
        let object = read_object(text, CHALLENGE_MEMBERS)?;
        read_challenge(&object)
    }

    /// Writes the challenge as one line of canonical JSON with the members `audience`, `challenge`,
    /// `expires` and `id`.
    #[must_use]
    pub fn to_json(&self) -> String {
        Value::from(self.object()).to_canonical()
    }

    fn object(&self) -> Object {
        [
            ("audience".to_owned(), Value::from(&*self.audience)),
            ("challenge".to_owned(), Value::from(hex::text(&self.nonce))),
            ("expires".to_owned(), Value::from(self.expires.to_string())),
            ("id".to_owned(), Value::from(self.id.as_str())),
        ]
        .into_iter()
        .collect()
    }

    /// The layout is drawn at the top of this file.
    fn message(&self) -> Vec<u8> {
        let expires = self.expires.as_millis().to_le_bytes();
        let mut message = MESSAGE_BEGINS.to_vec();
        for part in [self.audience.as_bytes(), self.id.as_str().as_bytes(), &self.nonce, &expires] {
            // Every part is far below 4 GiB: audience and id have limits of their own.
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            message.extend_from_slice(&length.to_le_bytes());
            message.extend_from_slice(part);
        }
        message
    }
}

/// A challenge with the instance's signature: the evidence of a [`PossessionVerifier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    challenge: Challenge,
    signature: [u8; 64],
}

impl Answer {
    /// Returns the challenge that is answered, as the answer tells it.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// Reads what [`to_json`](Self::to_json) writes.
    ///
    /// # Errors
    ///
    /// Returns [`PossessionError`] as [`Challenge::parse`] does.
    pub fn parse(text: &[u8]) -> Result<Self, PossessionError> {
        let object = read_object(text, ANSWER_MEMBERS)?;
        let signature = hex::parse(member(&object, "signature")?.as_bytes());
        let signature = signature.ok_or_else(|| form("signature"))?;
        Ok(Self { challenge: read_challenge(&object)?, signature })
    }

    /// Writes the challenge's members and `signature` as one line of canonical JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = self.challenge.object();
        object.insert("signature".to_owned(), Value::from(hex::text(&self.signature)));
        Value::from(object).to_canonical()
    }
}

/// Why an answer to a challenge is refused, or no challenge made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PossessionError {
    /// The instance is not enrolled, or no longer.
    #[error("the instance is not enrolled")]
    Unknown,
    /// Too many challenges wait for an answer, of this instance or of all.
    #[error("too many challenges wait for an answer")]
    TooManyChallenges,
    /// The text is longer than [`MAX_TEXT_BYTES`].
    #[error("the text is longer than {MAX_TEXT_BYTES} bytes")]
    TooLong,
    /// The text is no challenge or answer.
    #[error("`{member}` is missing, unknown, or not of the form that it must have")]
    Form {
        /// The member at fault; `text` when it is no JSON object at all.
        member: &'static str,
    },
    /// The answer is for a verifier of another name.
    #[error("the answer is for another verifier")]
    OtherAudience,
    /// The challenge was made for another instance.
    #[error("the challenge was made for another instance")]
    OtherIdentity,
    /// No such challenge is remembered: never made, or long over.
    #[error("no such challenge was made, or it is long over")]
    ChallengeUnknown,
    /// The challenge was answered before.
    #[error("the challenge was answered before")]
    ChallengeUsed,
    /// The challenge in the answer does not end when the one that was made does.
    #[error("the challenge in the answer is not the one that was made")]
    ChallengeAltered,
    /// The answer comes too late.
    #[error("the challenge has expired")]
    ChallengeExpired,
    /// The signature is not one of the enrolled key over this challenge.
    #[error("the signature does not verify under the enrolled key")]
    Signature,
}

impl PossessionError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "identity.unknown",
            Self::TooManyChallenges => "identity.too_many_challenges",
            Self::TooLong => "identity.answer_too_long",
            Self::Form { .. } => "identity.answer_form",
            Self::OtherAudience => "identity.other_audience",
            Self::OtherIdentity => "identity.other_identity",
            Self::ChallengeUnknown => "identity.challenge_unknown",
            Self::ChallengeUsed => "identity.challenge_used",
            Self::ChallengeAltered => "identity.challenge_altered",
            Self::ChallengeExpired => "identity.challenge_expired",
            Self::Signature => "identity.signature",
        }
    }
}

/// Why an instance does not answer a challenge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The challenge is not of the verifier that the instance talks to.
    #[error("the challenge is of another verifier than the one that is talked to")]
    OtherAudience,
    /// The challenge is for another instance.
    #[error("the challenge is for another instance")]
    OtherIdentity,
    /// The key cannot be used.
    #[error("the challenge could not be signed")]
    Signer(#[source] SignError),
}

impl AnswerError {
    /// Returns the stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::OtherAudience => "identity_answer.other_audience",
            Self::OtherIdentity => "identity_answer.other_identity",
            Self::Signer(_) => "identity_answer.signer",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Enrolment {
    key: TrustedKey,
    kind: PrincipalKind,
}

#[derive(Debug)]
struct Outstanding {
    id: SpiffeId,
    expires: Timestamp,
    used: bool,
}

#[derive(Debug, Default)]
struct State {
    enrolled: HashMap<SpiffeId, Enrolment>,
    /// The keys of `enrolled`.
    keys: HashSet<[u8; 32]>,
    /// By their random bytes. Used and expired ones stay until their room is needed, so that a replay
    /// is told from an invention.
    outstanding: HashMap<[u8; 32], Outstanding>,
    latest: Option<Timestamp>,
}

impl State {
    /// Returns the time, which never goes back.
    fn now(&mut self, clock: &dyn Clock) -> Result<Timestamp, IdentityError> {
        let now = clock.now().map_err(IdentityError::Clock)?;
        if self.latest.is_some_and(|latest| now < latest) {
            return Err(IdentityError::ClockBack);
        }
        self.latest = Some(now);
        Ok(now)
    }

    fn make_room(&mut self, id: &SpiffeId, now: Timestamp) -> Result<(), PossessionError> {
        let waits = |challenge: &Outstanding| !challenge.used && now < challenge.expires;
        let of_id = |challenge: &&Outstanding| challenge.id == *id && waits(challenge);
        if self.outstanding.values().filter(of_id).count() >= MAX_OUTSTANDING_EACH {
            return Err(PossessionError::TooManyChallenges);
        }
        if self.outstanding.len() >= MAX_OUTSTANDING {
            self.outstanding.retain(|_, challenge| now < challenge.expires);
        }
        if self.outstanding.len() >= MAX_OUTSTANDING {
            self.outstanding.retain(|_, challenge| waits(challenge));
        }
        if self.outstanding.len() >= MAX_OUTSTANDING {
            return Err(PossessionError::TooManyChallenges);
        }
        Ok(())
    }
}

fn read_object(text: &[u8], members: &[&str]) -> Result<Object, PossessionError> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(PossessionError::TooLong);
    }
    let Ok(Value::Object(object)) = Value::parse(text, &LIMITS) else { return Err(form("text")) };
    if object.iter().any(|(name, _)| !members.contains(&name)) {
        return Err(form("text"));
    }
    Ok(object)
}

fn read_challenge(object: &Object) -> Result<Challenge, PossessionError> {
    let audience = member(object, "audience")?;
    let plain = !audience.is_empty() && audience.len() <= MAX_AUDIENCE_BYTES;
    if !plain || check_visible(audience).is_err() {
        return Err(form("audience"));
    }
    let nonce = hex::parse(member(object, "challenge")?.as_bytes());
    let nonce = nonce.ok_or_else(|| form("challenge"))?;
    let expires = Timestamp::parse_rfc3339(member(object, "expires")?);
    let id = SpiffeId::parse(member(object, "id")?);
    Ok(Challenge {
        audience: audience.into(),
        nonce,
        expires: expires.ok_or_else(|| form("expires"))?,
        id: id.map_err(|_| form("id"))?,
    })
}

fn member<'a>(object: &'a Object, name: &'static str) -> Result<&'a str, PossessionError> {
    object.get(name).and_then(Value::as_str).ok_or_else(|| form(name))
}

const fn form(member: &'static str) -> PossessionError {
    PossessionError::Form { member }
}

const MESSAGE_BEGINS: &[u8] = b"countersign possession v1\n";

const CHALLENGE_MEMBERS: &[&str] = &["audience", "challenge", "expires", "id"];
const ANSWER_MEMBERS: &[&str] = &["audience", "challenge", "expires", "id", "signature"];

const LIMITS: Limits = Limits { max_bytes: MAX_TEXT_BYTES, max_depth: 1, max_nodes: 8 };
