//! What would have to change for an effect to be allowed: for the person who writes the scope.

use countersign::Reason;
use countersign::action::{Effect, Fact, Target};
use countersign::authorizer::{EffectDecision, EffectOutcome};
use countersign::scope::CompiledScope;

/// Says what would have to change for `decided` to be allowed; `None` if it is.
///
/// It names the one thing that refused. What stands behind it in the order of the gates is found only
/// once that is changed.
pub(crate) fn change(decided: &EffectDecision, scope: &CompiledScope) -> Option<String> {
    let reason = match &decided.outcome {
        EffectOutcome::Deny { reason } => *reason,
        EffectOutcome::Defer { quorums } => {
            let quorums = quorums.join("`, `");
            return Some(format!("nothing in the scope: `{quorums}` must approve each time"));
        }
        _ => return None,
    };
    let effect = &decided.effect;
    if let Some(field) = field(reason) {
        let entry = entry(effect);
        return Some(match reason {
            Reason::ScopeToolArgument => {
                format!("the `args` of the entry in `{field}` that grants `{entry}`")
            }
            Reason::ScopeResolvedAddress => {
                format!("`{field}` must have the address itself, such as `{entry}`")
            }
            _ if NO_SUBTRACTION.contains(&field) => {
                format!("`{field}` must have an entry that matches `{entry}`")
            }
            _ => format!(
                "`{field}` must have an entry that matches `{entry}`, and none with `!` that takes \
                 it away"
            ),
        });
    }
    Some(match (reason, effect.target()) {
        (reason, Target::Program { program, .. }) if is_opaque(reason) => format!(
            "`do.programs` must have {{\"name\": \"{}\", \"opaque\": \"allow\"}}, which lets the program \
             do anything",
            visible(program)
        ),
        (Reason::SessionNotYetValid, _) => {
            format!("`not_before`: the scope begins at {}", scope.not_before())
        }
        (Reason::SessionExpired, _) => format!("`expires`: the scope ended at {}", scope.expires()),
        (Reason::ToolUnregistered, _) => {
            "nothing in the scope: no listing that was given with `--tools` has the tool".to_owned()
        }
        _ if let Some(limit) = limit(reason) => format!("`{limit}` must be higher"),
        _ if reason.code().starts_with("policy.") => match decided.policies.join("`, `") {
            policies if policies.is_empty() => {
                "nothing in the scope: a policy of the bundle must permit it".to_owned()
            }
            policies => format!("nothing in the scope: the bundle's `{policies}` decides"),
        },
        _ => {
            "nothing in the scope grants what is not understood: write it in another way".to_owned()
        }
    })
}

/// Whether a program is refused because nobody knows what it does.
fn is_opaque(reason: Reason) -> bool {
    reason == Reason::ScopeOpaque || reason.code().starts_with("shell.")
}

/// The field of the scope that could have granted what was refused with `reason`.
fn field(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::ScopeTool | Reason::ScopeToolArgument => "do.tools",
        Reason::ScopeApi => "do.apis",
        Reason::ScopeWorkflow => "do.workflows",
        Reason::ScopeMessage => "do.messages",
        Reason::ScopeSpawn => "do.spawn",
        Reason::ScopePayment => "do.payments",
        Reason::ScopePublish => "do.publish",
        Reason::ScopeRemoteShell => "do.remote_shells",
        Reason::ScopeProgram => "do.programs",
        Reason::ScopeAction => "do.actions",
        Reason::ScopeConnect | Reason::ScopeResolvedAddress => "reach.connect",
        Reason::ScopeListen => "reach.listen",
        Reason::ScopeTunnel => "reach.tunnel",
        Reason::ScopeSecret => "touch.secrets",
        Reason::ScopePrivilege => "reach.privilege",
        Reason::ScopeIdentity => "reach.identity",
        Reason::ScopeInfrastructure => "reach.infrastructure",
        Reason::ScopePackage => "reach.packages",
        Reason::ScopeRead => "touch.read",
        Reason::ScopeWrite => "touch.write",
        Reason::ScopeDelete => "touch.delete",
        Reason::ScopeExport => "touch.export",
        Reason::ScopeMemoryRead => "touch.memory.read",
        Reason::ScopeMemoryWrite => "touch.memory.write",
        Reason::ScopeModel => "run.models",
        Reason::ScopeJob => "run.jobs",
        Reason::ScopeAccelerator => "run.accelerators",
        Reason::ScopeTraining => "run.training",
        _ => return None,
    })
}

/// The fields in which nothing subtracts.
const NO_SUBTRACTION: [&str; 7] = [
    "do.actions",
    "do.payments",
    "do.programs",
    "do.publish",
    "do.spawn",
    "do.tools",
    "reach.tunnel",
];

/// The limit of the scope that was passed.
fn limit(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::LimitActions => "limits.actions",
        Reason::LimitRate => "limits.per_minute",
        Reason::LimitDenials => "limits.denials",
        Reason::LimitTargets => "limits.distinct_targets",
        Reason::LimitEgress => "limits.egress_bytes",
        Reason::LimitAccelerator => "run.accelerator_seconds",
        Reason::LimitDomain => "limits.domains",
        Reason::LimitTool => "limits.tools",
        Reason::LimitSpend => "limits.spend",
        _ => return None,
    })
}

/// The narrowest entry that would match the target, as the scope writes it.
fn entry(effect: &Effect) -> String {
    let target = effect.target();
    visible(&match target {
        Target::File { path, recursive: true } => {
            format!("{}/**", path.as_str().trim_end_matches('/'))
        }
        Target::Table(name) => format!("table:{name}"),
        Target::Object { name, recursive } => {
            format!("object:{name}{}", if *recursive { "/**" } else { "" })
        }
        Target::Job { queue, name } => format!("{queue}/{name}"),
        Target::Infrastructure { provider, verb, resource, name } => {
            format!("{provider}:{verb}:{resource}/{name}")
        }
        Target::Endpoint { endpoint, address: Some(address) } if !is_address(effect) => {
            match address {
                std::net::IpAddr::V4(address) => format!("{address}:{}", endpoint.port()),
                std::net::IpAddr::V6(address) => format!("[{address}]:{}", endpoint.port()),
            }
        }
        _ => target.id(),
    })
}

/// Whether the host of an effect is an address itself, which its id shows already.
fn is_address(effect: &Effect) -> bool {
    match (effect.facts().fact("host"), effect.facts().fact("address")) {
        (Some(Fact::Text(host)), Some(Fact::Address(address))) => {
            host.as_str() == address.to_string()
        }
        _ => true,
    }
}

/// Writes text of an agent so that a person sees what it is: on one line, nothing hidden.
pub(crate) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => out.push(c),
            // Hidden characters beyond these are refused by name before they could stand in a target.
            '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{115f}' | '\u{1160}' => {
                out.extend(c.escape_unicode());
            }
            '`' => out.push_str("\\u{60}"),
            _ => out.extend(c.escape_debug()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use countersign::Action;
    use countersign::action::path::PurePaths;
    use countersign::action::{Connect, Exec, ReadData, SubmitJob, ToolCall, WriteData};
    use countersign::authorizer::{Evaluator, Trial};
    use countersign::policy::Authored;
    use countersign::scope::Scope;
    use countersign::time::{Clock, ClockError, Timestamp};
    use countersign::value::{Object, Value};

    use super::*;

    #[derive(Debug)]
    struct At(&'static str);

    impl Clock for At {
        fn now(&self) -> Result<Timestamp, ClockError> {
            Timestamp::parse_rfc3339(self.0).ok_or_else(|| ClockError(self.0.to_owned()))
        }
    }

    fn trial(now: &'static str) -> Trial {
        let bundle = Authored::baseline().load().unwrap();
        let scope = Scope::parse(
            br#"{"scope": "countersign/scope/v1", "task": "t", "owner": "user:dana@example.org",
                 "agent": "spiffe://example.org/agent/coder", "not_before": "2026-11-21T08:00:00Z",
                 "expires": "2026-11-21T11:00:00Z", "workspace": "/srv/web",
                 "touch": {"read": ["/srv/web/**"]}, "limits": {"per_minute": 0}}"#,
        );
        let scope = scope.unwrap().dangerous().trust_unsigned();
        let agent = scope.scope().descriptor().agent.parse::<countersign::identity::SpiffeId>();
        let agent = agent.unwrap().dangerous().assume_verified();
        Evaluator::new(&bundle, At(now))
            .with_paths(PurePaths::new())
            .prepare(&scope, &agent)
            .unwrap()
    }

    #[test]
    fn advice_names_field_and_entry() {
        let trial = trial("2026-11-21T09:00:00Z");
        let check = |action: &dyn Action, expected: &str| {
            let judgement = trial.judge(action);
            let found = change(&judgement.effects()[0], trial.scope()).unwrap();
            assert!(found.contains(expected), "{found}");
        };
        check(&Exec::new("git"), "`do.programs` must have an entry that matches `git`");
        check(&ReadData::new("/etc"), "`touch.read` must have an entry that matches `/etc`");
        check(
            &WriteData::new("a").recursive(),
            "`touch.write` must have an entry that matches `/srv/web/a/**`",
        );
        check(&ReadData::table("crm.orders"), "matches `table:crm.orders`");
        check(
            &Connect::new("example.org", 22),
            "`reach.connect` must have an entry that matches `example.org:22`",
        );
        check(&Connect::new("::1", 22), "matches `[::1]:22`");
        check(&SubmitJob::new("batch", "eval"), "matches `batch/eval`");
        check(&ReadData::new("src"), "`limits.per_minute` must be higher");
        check(&ReadData::new("a\u{202e}b"), "not understood");
        let call = ToolCall::new("s", "t", Value::Object(Object::new()));
        check(&call, "no listing");
    }

    #[test]
    fn advice_names_the_time() {
        let trial = trial("2026-11-21T12:00:00Z");
        let judgement = trial.judge(&ReadData::new("a"));
        let found = change(&judgement.effects()[0], trial.scope()).unwrap();
        assert_eq!(found, "`expires`: the scope ended at 2026-11-21T11:00:00.000Z");
    }

    #[test]
    fn hidden_text_is_shown() {
        let check = |text: &str, expected: &str| assert_eq!(visible(text), expected);
        check("a 'b' \"c\" \\", "a 'b' \"c\" \\");
        check("a\u{202e}b\n\t\0", "a\\u{202e}b\\n\\t\\0");
        check("a`b\u{2800}", "a\\u{60}b\\u{2800}");
    }
}
