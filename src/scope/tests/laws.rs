use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A document out of which elements can be taken.
fn documents() -> impl Strategy<Value = serde_json::Value> {
    let file = "!?(/(\\*\\*|[ab]\\*?|\\*)){1,3}";
    let name = "!?(a|b|\\*|a\\*)(/(a|b|\\*|\\*\\*)){0,2}";
    let host = "!?(a\\.example|\\*\\.example|10\\.0\\.0\\.0/8|127\\.0\\.0\\.1|\\*):(\\*|80|443)";
    let keyed = "!?(a|b|\\*):(a|b|\\*)(/(a|b|\\*|\\*\\*)){0,1}";
    let url = "!?(GET|POST|\\*) https://(a\\.example|\\*)(/(a|b|\\*|\\*\\*)){1,2}";
    let list = |pattern: &'static str| prop::collection::vec(pattern, 0..4);
    (
        (list(file), list(file), list(file), list(name)),
        (list(host), list(host), list(keyed), list(url)),
        (list(name), list(name), any::<bool>(), 0..2_u64),
    )
        .prop_map(|(touch, reach, other)| {
            let programs: Vec<&str> = if other.2 { vec!["a", "b"] } else { vec!["a"] };
            let text = document("");
            let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
            value["touch"] = serde_json::json!({
                "read": touch.0, "write": touch.1, "delete": touch.2, "secrets": touch.3,
                "export": [{"from": "/a/**", "to": "a"}, {"from": "!/a/b", "to": "*"}],
            });
            value["reach"] = serde_json::json!({
                "connect": reach.0, "listen": reach.1, "packages": reach.2,
                "tunnel": [{"direction": "reverse", "to": "a.example:80"}],
            });
            value["do"] = serde_json::json!({
                "apis": reach.3, "programs": programs, "workspace_code": other.2,
                "tools": [{"name": "a", "other_args": "allow"}, {"name": "b", "args": {"x": {"max_len": 2}}}],
                "payments": [{"to": "a", "currency": "EUR", "max": "5"}],
            });
            value["run"] = serde_json::json!({
                "jobs": other.0, "models": other.1, "accelerator_seconds": other.3,
            });
            value
        })
}

fn effects() -> impl Strategy<Value = Effect> {
    let names = prop::collection::vec("[ab]{1,2}", 1..4).prop_map(|parts| parts.join("/"));
    let data = prop_oneof![Just(Kind::ReadData), Just(Kind::WriteData), Just(Kind::DeleteData)];
    let hosts = prop_oneof![
        Just("a.example"),
        Just("b.example"),
        Just("evil.test"),
        Just("10.0.0.1"),
        Just("127.0.0.1")
    ];
    let addresses = prop_oneof![
        Just(None),
        Just(Some("10.0.0.1")),
        Just(Some("127.0.0.1")),
        Just(Some("93.184.216.34"))
    ];
    let ports = prop_oneof![Just(80_u16), Just(443), Just(22)];
    let network = prop_oneof![Just(Kind::Connect), Just(Kind::Listen)];
    prop_oneof![
        (data, names.clone(), any::<bool>()).prop_map(|(kind, name, recursive)| file(
            kind,
            &format!("/{name}"),
            recursive
        )),
        (network, hosts, ports, addresses).prop_map(|(kind, host, port, address)| {
            peer(kind, &format!("{host}:{port}"), address)
        }),
        names.clone().prop_map(|name| Effect::new(Kind::UseSecret, Target::Secret(name.into()))),
        names.clone().prop_map(|name| Effect::new(Kind::InvokeModel, Target::Model(name.into()))),
        ("[ab]", names.clone()).prop_map(|(queue, name)| {
            Effect::new(Kind::SubmitJob, Target::Job { queue: queue.into(), name: name.into() })
        }),
        ("[abc]", names.clone()).prop_map(|(ecosystem, name)| {
            let target = Target::Package { ecosystem: ecosystem.into(), name: name.into() };
            Effect::new(Kind::InstallPackage, target)
        }),
        ("GET|POST", "a|b", names.clone()).prop_map(|(method, host, path)| {
            api(&method, &format!("https://{host}.example:443"), &format!("/{path}"))
        }),
        ("[abc]|/srv/web/a", any::<bool>()).prop_map(|(name, opaque)| program(&name, opaque)),
        ("[abc]", 0..4_usize).prop_map(|(name, length)| {
            tool(&name, &format!("{{\"x\": \"{}\"}}", "y".repeat(length)))
        }),
        (1..9_u32).prop_map(|amount| pay("a", &amount.to_string(), "EUR")),
        names.prop_map(|name| export(&format!("/{name}"), "a")),
        Just(tunnel("reverse", "a.example:80", "x:1")),
        Just(Effect::new(Kind::UseAccelerator, Target::Accelerator { kind: "gpu".into() })),
    ]
}

/// Every list in a document, by pointer.
fn lists(value: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            let at = format!("{at}/{name}");
            if member.is_array() {
                found.push(at);
            } else {
                lists(member, &at, found);
            }
        }
    }
}

fn compile_json(value: &serde_json::Value) -> CompiledScope {
    let scope = Scope::parse(value.to_string().as_bytes()).unwrap();
    CompiledScope::compile(&scope.dangerous().trust_unsigned(), &PurePaths::new()).unwrap()
}

fn subtracts(element: &serde_json::Value) -> bool {
    let text = element.as_str().or_else(|| element["from"].as_str());
    text.is_some_and(|text| text.starts_with('!'))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_narrower_scope_never_grants_more(
        wide in documents(),
        list in any::<Index>(),
        element in any::<Index>(),
        effects in prop::collection::vec(effects(), 1..24),
    ) {
        let mut found = Vec::new();
        lists(&wide, "", &mut found);
        let pointer = &found[list.index(found.len())];
        let mut narrow = wide.clone();
        let elements = narrow.pointer_mut(pointer).unwrap().as_array_mut().unwrap();
        if !elements.is_empty() {
            let at = element.index(elements.len());
            // Without a subtraction the scope is wider, so those stay.
            if !subtracts(&elements[at]) {
                elements.remove(at);
            }
        }
        let (wide, narrow) = (compile_json(&wide), compile_json(&narrow));
        for effect in &effects {
            if narrow.check(effect, &PurePaths::new()).is_ok() {
                let allowed = wide.check(effect, &PurePaths::new()).is_ok();
                prop_assert!(allowed, "{effect:?} without an element of {pointer}");
            }
        }
    }

    #[test]
    fn what_the_lint_of_children_is_silent_about_is_not_wider(
        parent in documents(),
        other in documents(),
        mixed in prop::collection::vec((any::<Index>(), any::<bool>()), 0..6),
        effects in prop::collection::vec(effects(), 1..24),
    ) {
        // Mostly the parent, with some lists of another document, so that some children are within it.
        let mut child = parent.clone();
        let mut found = Vec::new();
        lists(&other, "", &mut found);
        for (list, whole) in mixed {
            let pointer = &found[list.index(found.len())];
            let Some(own) = child.pointer_mut(pointer) else { continue };
            if whole {
                *own = other.pointer(pointer).unwrap().clone();
            } else if let Some(list) = own.as_array_mut() {
                list.pop();
            }
        }
        let scope = |value: &serde_json::Value| Scope::parse(value.to_string().as_bytes()).unwrap();
        let wider = lint_child(&scope(&parent), &scope(&child));
        let (parent, compiled) = (compile_json(&parent), compile_json(&child));
        for effect in effects.iter().filter(|_| wider.is_empty()) {
            if compiled.check(effect, &PurePaths::new()).is_ok() {
                let allowed = parent.check(effect, &PurePaths::new()).is_ok();
                prop_assert!(allowed, "{effect:?} under {child}");
            }
        }
    }

    #[test]
    fn taking_an_element_away_raises_no_question(
        wide in documents(),
        list in any::<Index>(),
        element in any::<Index>(),
    ) {
        let mut found = Vec::new();
        lists(&wide, "", &mut found);
        let mut narrow = wide.clone();
        let elements = narrow.pointer_mut(&found[list.index(found.len())]).unwrap();
        let elements = elements.as_array_mut().unwrap();
        if !elements.is_empty() {
            let at = element.index(elements.len());
            if !subtracts(&elements[at]) {
                elements.remove(at);
            }
        }
        let scope = |value: &serde_json::Value| Scope::parse(value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(lint_child(&scope(&wide), &scope(&narrow)), []);
    }

    #[test]
    fn a_subtraction_never_grants_more(
        wide in documents(),
        list in any::<Index>(),
        file in "!(/(\\*\\*|[ab]\\*?|\\*)){1,3}",
        effects in prop::collection::vec(effects(), 1..24),
    ) {
        let lists = [
            ("/touch/read", file.as_str()), ("/touch/write", &file), ("/touch/delete", &file),
            ("/reach/connect", "!*.example:*"), ("/reach/connect", "!10.0.0.0/8:*"),
            ("/reach/listen", "!127.0.0.1:*"), ("/reach/packages", "!a:*"),
            ("/do/apis", "!* https://*/a"), ("/run/models", "!a"), ("/run/jobs", "!a/*"),
        ];
        let (pointer, pattern) = lists[list.index(lists.len())];
        let mut narrow = wide.clone();
        narrow.pointer_mut(pointer).unwrap().as_array_mut().unwrap().push(pattern.into());
        let (wide, narrow) = (compile_json(&wide), compile_json(&narrow));
        for effect in &effects {
            if narrow.check(effect, &PurePaths::new()).is_ok() {
                let allowed = wide.check(effect, &PurePaths::new()).is_ok();
                prop_assert!(allowed, "{effect:?} with {pattern} in {pointer}");
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_or_kept(text in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(Scope::parse(&text).is_err());
    }

    #[test]
    fn a_changed_document_is_refused_or_means_itself(
        at in any::<Index>(), byte in any::<u8>(), sections in documents(),
    ) {
        let mut text = sections.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(scope) = Scope::parse(&text) {
            prop_assert_eq!(Scope::parse(scope.as_canonical().as_bytes()).unwrap(), scope);
        }
    }
}
