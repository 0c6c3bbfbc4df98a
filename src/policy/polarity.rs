//! The polarity check: no policy may turn more history into more rights, or an approval into fewer.
//!
//! Some facts of a request grow while a session lives or as authority is handed on: `approvals`,
//! `labels`, `counters`, `recent`, `depth` and `acting_through`. A bundle is monotone when more
//! approvals never allow less, and more of the others never allows more. This walk proves it policy by policy: it knows a few forms in which such a fact may
//! occur, and the sign (does more of it push toward allow?) that each has at its place. Every other
//! occurrence is refused, so that what is not understood is not let through.
//!
//! A policy that errors is denied, so that an error that more labels mask would allow more. Hence no
//! arithmetic beside a tracked fact.

use std::sync::Arc;

use cedar_policy::pst::{BinaryOp, Clause, Effect, Expr, Literal, Policy, Template, UnaryOp, Var};

/// What a walk over one policy found.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The quorums whose approval it looks for by name.
    pub(super) quorums: Vec<String>,
    /// Whether approvals of quorums that it does not name matter too.
    pub(super) any_quorum: bool,
    /// Entities that occur, as `Type::"id"` parts: type and id.
    pub(super) literals: Vec<(String, String)>,
    /// Those among them that are looked into: attributes, tags, or on the left of `in`.
    pub(super) read: Vec<(String, String)>,
    /// Whether the policy looks at the time.
    pub(super) reads_time: bool,
    /// Whether `Action::"ToolCall"` stands elsewhere than on the right side of `action in`.
    pub(super) names_tool_call: bool,
    tracked: bool,
    arithmetic: bool,
}

/// The attribute of the context that holds the time.
const TIME: &str = "now";

/// A fact that grows while a session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tracked {
    Approvals,
    Labels,
    Counters,
    Recent,
    Depth,
    ActingThrough,
}

/// Which way a truth value at this place pushes the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// True here pushes toward allow.
    Allow,
    /// True here pushes toward deny.
    Deny,
    /// Either, or the value is no truth value.
    Unknown,
}

impl Sign {
    const fn flipped(self) -> Self {
        match self {
            Self::Allow => Self::Deny,
            Self::Deny => Self::Allow,
            Self::Unknown => Self::Unknown,
        }
    }
}

impl Tracked {
    fn named(attribute: &str) -> Option<Self> {
        match attribute {
            "approvals" => Some(Self::Approvals),
            "labels" => Some(Self::Labels),
            "counters" => Some(Self::Counters),
            "recent" => Some(Self::Recent),
            "depth" => Some(Self::Depth),
            "acting_through" => Some(Self::ActingThrough),
            _ => None,
        }
    }

    /// Whether a truth value that rises with this fact may stand at a place of `sign`.
    const fn may_rise(self, sign: Sign) -> bool {
        match self {
            Self::Approvals => matches!(sign, Sign::Allow),
            Self::Labels | Self::Counters | Self::Recent | Self::Depth | Self::ActingThrough => {
                matches!(sign, Sign::Deny)
            }
        }
    }

    const fn is_set(self) -> bool {
        !matches!(self, Self::Counters | Self::Depth)
    }

    const fn problem(self) -> &'static str {
        match self {
            Self::Approvals => "more approvals could allow less here",
            Self::Labels => "more labels could allow more here",
            Self::Counters => "a higher counter could allow more here",
            Self::Recent => "more recent domains could allow more here",
            Self::Depth => "more hops could allow more here",
            Self::ActingThrough => "more accounts in between could allow more here",
        }
    }
}

/// Walks `policy` and returns what it found.
///
/// # Errors
///
/// Returns a sentence that says where the polarity is wrong or not understood.
pub(super) fn survey(policy: &Policy) -> Result<Survey, String> {
    let body: &Template = policy.body();
    let mut survey = Survey::default();
    let toward = match body.effect {
        Effect::Permit => Sign::Allow,
        Effect::Forbid => Sign::Deny,
    };
    for clause in body.clauses() {
        match clause {
            Clause::When(condition) => survey.walk(condition, toward)?,
            Clause::Unless(condition) => survey.walk(condition, toward.flipped())?,
        }
    }
    if survey.tracked && survey.arithmetic {
        return Err("arithmetic, which can fail, stands beside a fact that grows, such as \
                    `approvals`, `labels` or `counters`: split the policy"
            .into());
    }
    Ok(survey)
}

impl Survey {
    fn walk(&mut self, expr: &Expr, sign: Sign) -> Result<(), String> {
        if self.known_form(expr, sign)? {
            return Ok(());
        }
        match expr {
            Expr::Literal(literal) => {
                // No request has this action: only `action in` it means anything, handled above.
                self.names_tool_call |= is_tool_call(expr);
                if let Literal::EntityUID(uid) = literal {
                    self.literals.push((uid.ty.to_string(), uid.eid.to_string()));
                }
                Ok(())
            }
            Expr::Var(Var::Context) => Err(
                "`context` is used as a whole, with facts in it that grow, such as `approvals`, \
                     `labels` and `counters`"
                    .into(),
            ),
            Expr::Var(_) => Ok(()),
            Expr::UnaryOp { op: UnaryOp::Not, expr } => self.walk(expr, sign.flipped()),
            Expr::UnaryOp { op, expr } => {
                self.arithmetic |= matches!(op, UnaryOp::Neg | UnaryOp::ToDate);
                self.walk(expr, Sign::Unknown)
            }
            Expr::BinaryOp { op: BinaryOp::And | BinaryOp::Or, left, right } => {
                self.walk(left, sign)?;
                self.walk(right, sign)
            }
            Expr::BinaryOp { op: BinaryOp::In, left, right }
                if matches!(**left, Expr::Var(Var::Action)) && is_actions(right) =>
            {
                Ok(())
            }
            Expr::BinaryOp { op, left, right } => {
                self.arithmetic |= matches!(
                    op,
                    BinaryOp::Add
                        | BinaryOp::Sub
                        | BinaryOp::Mul
                        | BinaryOp::Offset
                        | BinaryOp::DurationSince
                        | BinaryOp::GetTag
                );
                if matches!(op, BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag) {
                    self.reads(left);
                }
                self.walk(left, Sign::Unknown)?;
                self.walk(right, Sign::Unknown)
            }
            Expr::GetAttr { expr, attr } => {
                if is_context(expr) {
                    self.reads_time |= attr == TIME;
                    return match Tracked::named(attr) {
                        Some(_) => Err(unknown_form(attr)),
                        None => Ok(()),
                    };
                }
                self.reads(expr);
                self.walk(expr, Sign::Unknown)
            }
            Expr::HasAttr { expr, attrs } => {
                if is_context(expr) {
                    self.reads_time |= attrs.first() == TIME;
                    return match Tracked::named(attrs.first()) {
                        Some(_) => Err(unknown_form(attrs.first())),
                        None => Ok(()),
                    };
                }
                self.reads(expr);
                self.walk(expr, Sign::Unknown)
            }
            Expr::Like { expr, .. } => self.walk(expr, Sign::Unknown),
            Expr::Is { expr, in_expr, .. } => {
                if let Some(of) = in_expr {
                    self.reads(expr);
                    self.walk(of, Sign::Unknown)?;
                }
                self.walk(expr, Sign::Unknown)
            }
            Expr::IfThenElse { cond, then_expr, else_expr } => {
                self.walk(cond, Sign::Unknown)?;
                self.walk(then_expr, sign)?;
                self.walk(else_expr, sign)
            }
            Expr::Set(members) => {
                members.iter().try_for_each(|member| self.walk(member, Sign::Unknown))
            }
            Expr::Record(members) => {
                members.values().try_for_each(|member| self.walk(member, Sign::Unknown))
            }
            _ => Err("an expression of a form that this version does not know".into()),
        }
    }

    /// Handles the forms in which a tracked fact may occur; false when `expr` is none of them.
    fn known_form(&mut self, expr: &Expr, sign: Sign) -> Result<bool, String> {
        let (fact, rises) = match expr {
            Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => match tracked_set(expr) {
                Some(fact) => {
                    self.any_quorum |= fact == Tracked::Approvals;
                    (fact, false)
                }
                None => return Ok(false),
            },
            Expr::BinaryOp {
                op: op @ (BinaryOp::Contains | BinaryOp::ContainsAny | BinaryOp::ContainsAll),
                left,
                right,
            } => match (tracked_set(left), tracked_set(right)) {
                (Some(fact), None) => {
                    let names = literal_strings(right)
                        .ok_or_else(|| "only literal names may be looked for".to_owned())?;
                    if fact == Tracked::Approvals {
                        self.quorums.extend(names);
                    }
                    (fact, true)
                }
                (None, Some(fact))
                    if *op == BinaryOp::ContainsAll && literal_strings(left).is_some() =>
                {
                    self.any_quorum |= fact == Tracked::Approvals;
                    (fact, false)
                }
                _ => return Ok(false),
            },
            Expr::BinaryOp { op, left, right } => {
                let rises_left = match op {
                    BinaryOp::Greater | BinaryOp::GreaterEq => true,
                    BinaryOp::Less | BinaryOp::LessEq => false,
                    _ => return Ok(false),
                };
                match (tracked_number(left), tracked_number(right)) {
                    (Some(fact), None) => {
                        self.walk(right, Sign::Unknown)?;
                        (fact, rises_left)
                    }
                    (None, Some(fact)) => {
                        self.walk(left, Sign::Unknown)?;
                        (fact, !rises_left)
                    }
                    _ => return Ok(false),
                }
            }
            _ => return Ok(false),
        };
        self.tracked = true;
        let sign = if rises { sign } else { sign.flipped() };
        if fact.may_rise(sign) {
            return Ok(true);
        }
        Err(fact.problem().into())
    }

    /// Notes every entity that `expr` can come to: it is looked into, so that it must exist.
    fn reads(&mut self, expr: &Arc<Expr>) {
        match &**expr {
            Expr::Literal(Literal::EntityUID(uid)) => {
                self.read.push((uid.ty.to_string(), uid.eid.to_string()));
            }
            Expr::IfThenElse { then_expr, else_expr, .. } => {
                self.reads(then_expr);
                self.reads(else_expr);
            }
            Expr::Set(members) => members.iter().for_each(|member| self.reads(member)),
            Expr::Record(members) => members.values().for_each(|member| self.reads(member)),
            Expr::GetAttr { expr, .. } | Expr::UnaryOp { expr, .. } => self.reads(expr),
            Expr::BinaryOp { left, right, .. } => {
                self.reads(left);
                self.reads(right);
            }
            _ => {}
        }
    }
}

/// Whether `expr` is an action or a set of actions, written out.
fn is_actions(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(Literal::EntityUID(uid)) => uid.ty.to_string() == "Action",
        Expr::Set(members) => members.iter().all(|member| is_actions(member)),
        _ => false,
    }
}

fn is_tool_call(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(Literal::EntityUID(uid)) => {
            uid.eid == "ToolCall" && uid.ty.to_string() == "Action"
        }
        _ => false,
    }
}

fn is_context(expr: &Expr) -> bool {
    matches!(expr, Expr::Var(Var::Context))
}

fn tracked_set(expr: &Expr) -> Option<Tracked> {
    match expr {
        Expr::GetAttr { expr, attr } if is_context(expr) => {
            Tracked::named(attr).filter(|fact| fact.is_set())
        }
        _ => None,
    }
}

/// A number that grows: one of the counters, or the depth.
fn tracked_number(expr: &Expr) -> Option<Tracked> {
    let Expr::GetAttr { expr, attr } = expr else { return None };
    if is_context(expr) {
        return Tracked::named(attr).filter(|fact| *fact == Tracked::Depth);
    }
    match &**expr {
        Expr::GetAttr { expr, attr } if is_context(expr) => {
            Tracked::named(attr).filter(|fact| *fact == Tracked::Counters)
        }
        _ => None,
    }
}

fn literal_strings(expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Literal(Literal::String(text)) => Some(vec![text.to_string()]),
        Expr::Set(members) => {
            let strings = members.iter().map(|member| match &**member {
                Expr::Literal(Literal::String(text)) => Some(text.to_string()),
                _ => None,
            });
            strings.collect()
        }
        _ => None,
    }
}

fn unknown_form(fact: &str) -> String {
    format!(
        "`context.{fact}` stands in a form whose effect is not known: look for literal names with \
         `contains`, `containsAny`, `containsAll`, or compare a number with `<`, `<=`, `>`, `>=`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &str, ok: bool) {
        let policy = cedar_policy::Policy::parse(None, policy).unwrap();
        let result = survey(&policy.to_pst().unwrap());
        assert_eq!(result.is_ok(), ok, "{policy}: {result:?}");
    }

    fn forbid(condition: &str, ok: bool) {
        check(&format!("forbid(principal, action, resource) when {{ {condition} }};"), ok);
    }

    fn permit(condition: &str, ok: bool) {
        check(&format!("permit(principal, action, resource) when {{ {condition} }};"), ok);
    }

    #[test]
    fn policies_that_look_at_the_time_are_known() {
        let check = |condition: &str, expected: bool| {
            let policy = format!("forbid(principal, action, resource) when {{ {condition} }};");
            let policy = cedar_policy::Policy::parse(None, policy).unwrap();
            let survey = survey(&policy.to_pst().unwrap()).unwrap();
            assert_eq!(survey.reads_time, expected, "{condition}");
        };
        check("true", false);
        check("context.now > 1", true);
        check("1 < context.now", true);
        check("context has now", true);
        check("context.counters.actions > context.now", true);
        check("if context.now == 1 then true else false", true);
        check("[1, 2].contains(context.now)", true);
        check("{a: context.now}.a == 1", true);
        check("context.task == \"now\"", false);
        check("context.input.now == 1", false);
    }

    #[test]
    fn approvals_only_ever_allow_more() {
        check(
            r#"forbid(principal, action, resource) unless { context.approvals.contains("sre") };"#,
            true,
        );
        forbid(r#"!context.approvals.contains("sre")"#, true);
        forbid(r#"!context.approvals.containsAll(["a", "b"]) && context.now > 1"#, true);
        forbid(r#"context.approvals.isEmpty()"#, true);
        permit(r#"context.approvals.containsAny(["a", "b"])"#, true);
        forbid(r#"context.approvals.contains("sre")"#, false);
        permit(r#"!context.approvals.contains("sre")"#, false);
        permit(r#"context.approvals.isEmpty()"#, false);
        permit(r#"context.approvals == ["sre"]"#, false);
        permit(r#"["sre"].containsAll(context.approvals)"#, false);
        forbid(r#"["sre"].containsAll(context.approvals)"#, true);
        permit(r#"context.approvals.contains(context.task)"#, false);
        permit(r#"context.approvals.contains("a") == true"#, false);
        permit(r#"if context.approvals.contains("a") then true else false"#, false);
        permit(r#"context has approvals"#, false);
        permit(r#"context == {"a": 1}"#, false);
        permit(r#"{"a": context}.a.approvals.contains("x")"#, false);
    }

    #[test]
    fn labels_and_counters_only_ever_allow_less() {
        forbid(r#"context.labels.contains("secret")"#, true);
        forbid(r#"!(!context.labels.contains("secret"))"#, true);
        permit(r#"context.labels.isEmpty()"#, true);
        permit(r#"["public"].containsAll(context.labels)"#, true);
        permit(r#"!context.labels.containsAny(["a"])"#, true);
        permit(r#"context.labels.contains("vetted")"#, false);
        forbid(r#"context.labels.isEmpty()"#, false);
        forbid(r#"context.counters.actions > 10"#, true);
        forbid(r#"10 <= context.counters.actions"#, true);
        permit(r#"context.counters.denials < 3"#, true);
        permit(r#"context.counters.denials >= 3"#, false);
        permit(r#"3 < context.counters.denials"#, false);
        forbid(r#"context.counters.actions == 10"#, false);
        forbid(r#"context.counters.actions > context.counters.denials"#, false);
        forbid(r#"context.counters == context.counters"#, false);
        forbid(r#"context has counters.actions"#, false);
    }

    #[test]
    fn recent_domains_depth_and_accounts_only_ever_allow_less() {
        for set in ["recent", "acting_through"] {
            let write = |form: &str| form.replace("SET", set);
            forbid(&write(r#"context.SET.contains("data")"#), true);
            forbid(&write(r#"context.SET.containsAny(["data", "workload"])"#), true);
            forbid(&write(r#"!context.SET.isEmpty()"#), true);
            permit(&write(r#"context.SET.isEmpty()"#), true);
            permit(&write(r#"["data"].containsAll(context.SET)"#), true);
            permit(&write(r#"!context.SET.contains("data")"#), true);
            permit(&write(r#"context.SET.contains("data")"#), false);
            forbid(&write(r#"context.SET.isEmpty()"#), false);
            forbid(&write(r#"context.SET == ["data"]"#), false);
            forbid(&write(r#"context.SET.contains(context.task)"#), false);
            forbid(&write(r#"context.SET.containsAll(context.labels)"#), false);
            forbid(&write(r#"context has SET"#), false);
            forbid(&write(r#"context.SET > 1"#), false);
        }
        forbid(r#"context.depth > 2"#, true);
        forbid(r#"2 <= context.depth"#, true);
        permit(r#"context.depth < 3"#, true);
        permit(r#"!(context.depth >= 1)"#, true);
        permit(r#"context.depth > 0"#, false);
        permit(r#"1 <= context.depth"#, false);
        forbid(r#"context.depth == 1"#, false);
        forbid(r#"context.depth != 0"#, false);
        forbid(r#"context.depth < 1"#, false);
        forbid(r#"context.depth > context.counters.actions"#, false);
        forbid(r#"context.depth + 1 > 2"#, false);
        forbid(r#"context.depth.x > 2"#, false);
        forbid(r#"context.counters.egress_bytes > 0 && context.tier == "high""#, true);
        permit(r#"context.tier == "low""#, true);
    }

    #[test]
    fn an_error_cannot_be_masked_by_a_tracked_fact() {
        permit(r#"context.labels.isEmpty() && context.now + 1 > 0"#, false);
        forbid(r#"context.labels.contains("x") || context.now * 2 > 0"#, false);
        permit(r#"context.now + 1 > 0"#, true);
    }

    #[test]
    fn literals_that_are_read_are_found() {
        let text = r#"permit(principal, action, resource)
            when { T::"a" in T::"b" || principal in T::"c" || T::"d".x == 1 };"#;
        let policy = cedar_policy::Policy::parse(None, text).unwrap().to_pst().unwrap();
        let survey = survey(&policy).unwrap();
        let ids = |list: &[(String, String)]| {
            list.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>().join("")
        };
        assert_eq!(ids(&survey.read), "ad");
        assert_eq!(survey.literals.len(), 4);
    }
}
