//! Agent Client Protocol (schema 1.15.1): what a client's answer to `session/request_permission` means.
//!
//! The client offers options of the kinds `allow_once`, `allow_always`, `reject_once` and `reject_always`; the answer is
//! `selected` with the id of one, or `cancelled`. No answer is an approval by itself: a click is not
//! signed. It says what the person wants to sign.

use crate::value::{Limits, Value};

/// What a person wants, going by the option that was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcpAnswer {
    /// `allow_once`: to sign an [`Approval`](crate::governance::Approval) of this action.
    ApproveOnce,
    /// `allow_always`: to be shown a bounded [`StandingGrant`](crate::governance::StandingGrant), with a number of uses,
    /// an end and a pattern, and to sign that. There is no "always".
    OfferStanding,
    /// `reject_once`, `reject_always`: to sign a rejection.
    Reject,
    /// `cancelled`, an unknown kind, an id that was not offered, no answer: nothing. The action stays
    /// deferred.
    NotApproved,
}

impl AcpAnswer {
    /// Reads the kind of an option.
    #[must_use]
    pub fn of_kind(kind: &str) -> Self {
        match kind {
            "allow_once" => Self::ApproveOnce,
            "allow_always" => Self::OfferStanding,
            "reject_once" | "reject_always" => Self::Reject,
            _ => Self::NotApproved,
        }
    }

    /// Reads an answer: the `options` of the request and the `outcome` of the response, both as JSON.
    ///
    /// Whatever cannot be read, or leaves open which option was meant, is [`NotApproved`](Self::NotApproved).
    ///
    /// # Examples
    ///
    /// ```
    /// use countersign::interop::acp::AcpAnswer;
    ///
    /// let options = br#"[{"optionId": "1", "name": "Allow", "kind": "allow_once"},
    ///                    {"optionId": "2", "name": "Always", "kind": "allow_always"}]"#;
    /// let outcome = br#"{"outcome": "selected", "optionId": "2"}"#;
    /// assert_eq!(AcpAnswer::parse(options, outcome), AcpAnswer::OfferStanding);
    /// let outcome = br#"{"outcome": "cancelled"}"#;
    /// assert_eq!(AcpAnswer::parse(options, outcome), AcpAnswer::NotApproved);
    /// ```
    #[must_use]
    pub fn parse(options: &[u8], outcome: &[u8]) -> Self {
        Self::read(options, outcome).unwrap_or(Self::NotApproved)
    }

    fn read(options: &[u8], outcome: &[u8]) -> Option<Self> {
        let options = Value::parse(options, &Limits::ARGUMENTS).ok()?;
        let outcome = Value::parse(outcome, &Limits::ARGUMENTS).ok()?;
        let text = |value: &Value, member: &str| -> Option<String> {
            value.as_object()?.get(member)?.as_str().map(str::to_owned)
        };
        if text(&outcome, "outcome")? != "selected" {
            return None;
        }
        let selected = text(&outcome, "optionId")?;
        let is_meant = |option: &&Value| text(option, "optionId").as_ref() == Some(&selected);
        let mut meant = options.as_array()?.iter().filter(is_meant);
        // Two options with one id leave open which of them the person saw.
        let (Some(option), None) = (meant.next(), meant.next()) else { return None };
        Some(Self::of_kind(&text(option, "kind")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(outcome: &str, expected: AcpAnswer) {
        let options = r#"[{"optionId":"a","name":"","kind":"allow_once"},
            {"optionId":"b","name":"","kind":"allow_always"},{"optionId":"c","name":"","kind":"reject_once"},
            {"optionId":"d","name":"","kind":"reject_always"},{"optionId":"e","name":"","kind":"allow"},
            {"optionId":"f","name":"","kind":"allow_once"},{"optionId":"f","name":"","kind":"reject_once"},
            {"optionId":"g","name":""}, 7]"#;
        assert_eq!(AcpAnswer::parse(options.as_bytes(), outcome.as_bytes()), expected, "{outcome}");
    }

    #[test]
    fn what_is_not_clear_is_not_approved() {
        let selected = |id: &str| format!(r#"{{"outcome":"selected","optionId":"{id}"}}"#);
        check(&selected("a"), AcpAnswer::ApproveOnce);
        check(&selected("b"), AcpAnswer::OfferStanding);
        check(&selected("c"), AcpAnswer::Reject);
        check(&selected("d"), AcpAnswer::Reject);
        for id in ["e", "f", "g", "h", ""] {
            check(&selected(id), AcpAnswer::NotApproved);
        }
        check(r#"{"outcome":"cancelled","optionId":"a"}"#, AcpAnswer::NotApproved);
        check(r#"{"outcome":"Selected","optionId":"a"}"#, AcpAnswer::NotApproved);
        check(r#"{"outcome":"selected"}"#, AcpAnswer::NotApproved);
        check(r#"{"optionId":"a"}"#, AcpAnswer::NotApproved);
        check(r#"{"outcome":"selected","optionId":"a","optionId":"a"}"#, AcpAnswer::NotApproved);
        check("null", AcpAnswer::NotApproved);
        check("", AcpAnswer::NotApproved);
    }
}
