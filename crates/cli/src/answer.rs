//! Answers as JSON.

use countersign::Reason;
use countersign::action::Kind;
use countersign::authorizer::{EffectDecision, Judgement};
use countersign::value::write_string;

/// Appends the answer to a case: `{"id":…,"decision":…,"reasons":…,"policies":…,"effects":…}`.
pub(crate) fn write(out: &mut String, id: &str, judgement: &Judgement) {
    out.push_str("{\"id\":");
    out.push_str(id);
    out.push(',');
    write_decision(out, judgement);
    out.push_str(",\"effects\":[");
    for (index, effect) in judgement.effects().iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push('{');
        write_effect(out, effect);
        out.push('}');
    }
    out.push_str("]}\n");
}

/// Appends the answer to a line that asks nothing: `{"id":…,"error":…}`.
pub(crate) fn write_error(out: &mut String, id: Option<&str>, error: &str) {
    out.push_str("{\"id\":");
    out.push_str(id.unwrap_or("null"));
    out.push_str(",\"error\":");
    write_string(out, error);
    out.push_str("}\n");
}

/// Appends the members that say what was decided on the whole.
pub(crate) fn write_decision(out: &mut String, judgement: &Judgement) {
    out.push_str("\"decision\":\"");
    out.push_str(judgement.severity().as_str());
    out.push_str("\",\"reasons\":");
    write_list(out, judgement.reasons().into_iter().map(Reason::code));
    out.push_str(",\"policies\":");
    write_list(out, judgement.policies().into_iter());
}

/// Appends the members that say what was decided on one effect.
pub(crate) fn write_effect(out: &mut String, decided: &EffectDecision) {
    out.push_str("\"decision\":\"");
    out.push_str(decided.severity().as_str());
    out.push_str("\",\"reason\":");
    match decided.reason() {
        Some(reason) => write_string(out, reason.code()),
        None => out.push_str("null"),
    }
    out.push(',');
    // A kind that a host brings says its domain in its canonical form.
    if !matches!(decided.effect.kind(), Kind::Host { .. }) {
        out.push_str("\"domain\":\"");
        out.push_str(decided.effect.domain().as_str());
        out.push_str("\",");
    }
    // The canonical form is an object: its members go in among these.
    let mut canonical = String::with_capacity(256);
    decided.effect.write_canonical(&mut canonical);
    let members = canonical.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    out.push_str(members.unwrap_or_default());
}

/// Appends a list of strings.
pub(crate) fn write_list<'a>(out: &mut String, texts: impl Iterator<Item = &'a str>) {
    out.push('[');
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(out, text);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_escaped() {
        let check = |id: Option<&str>, error: &str, expected: &str| {
            let mut out = String::new();
            write_error(&mut out, id, error);
            assert_eq!(out, expected);
        };
        check(None, "a \"b\"", "{\"id\":null,\"error\":\"a \\\"b\\\"\"}\n");
        check(Some("\"c\""), "d", "{\"id\":\"c\",\"error\":\"d\"}\n");
    }
}
