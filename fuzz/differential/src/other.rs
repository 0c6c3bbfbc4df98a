//! The other parser: answers each line of JSON with the commands that it finds, or `null`.

use std::io::Write as _;

use rable::{Node, NodeKind};

/// Serves questions until there are no more.
pub(crate) fn serve() {
    let mut output = std::io::stdout();
    for line in std::io::stdin().lines() {
        let Ok(line) = line else { return };
        let line: String = serde_json::from_str(&line).expect("a string");
        let answer = match rable::parse(&line, false) {
            Ok(nodes) => {
                let mut found = Vec::new();
                nodes.iter().for_each(|node| walk(node, &mut found));
                serde_json::json!(found)
            }
            Err(_) => serde_json::Value::Null,
        };
        if writeln!(output, "{answer}").and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}

fn walk(node: &Node, found: &mut Vec<super::Found>) {
    let mut all = |nodes: &[Node]| nodes.iter().for_each(|node| walk(node, found));
    match &node.kind {
        NodeKind::Word { parts, .. } => all(parts),
        NodeKind::Command { assignments, words, redirects } => {
            all(assignments);
            all(words);
            all(redirects);
            if let Some(first) = words.first() {
                found.push((name(first), words.len()));
            }
        }
        NodeKind::Pipeline { commands, .. } => all(commands),
        NodeKind::List { items } => items.iter().for_each(|item| walk(&item.command, found)),
        NodeKind::If { condition, then_body, else_body, redirects } => {
            all(redirects);
            walk(condition, found);
            walk(then_body, found);
            if let Some(body) = else_body {
                walk(body, found);
            }
        }
        NodeKind::While { condition, body, redirects }
        | NodeKind::Until { condition, body, redirects } => {
            all(redirects);
            walk(condition, found);
            walk(body, found);
        }
        NodeKind::For { words, body, redirects, .. }
        | NodeKind::Select { words, body, redirects, .. } => {
            all(words.as_deref().unwrap_or_default());
            all(redirects);
            walk(body, found);
        }
        NodeKind::ForArith { body, redirects, .. }
        | NodeKind::Subshell { body, redirects }
        | NodeKind::BraceGroup { body, redirects } => {
            all(redirects);
            walk(body, found);
        }
        NodeKind::Case { word, patterns, redirects } => {
            all(redirects);
            walk(word, found);
            for pattern in patterns {
                pattern.patterns.iter().for_each(|node| walk(node, found));
                if let Some(body) = &pattern.body {
                    walk(body, found);
                }
            }
        }
        NodeKind::Function { body, .. } => walk(body, found),
        NodeKind::Coproc { command, .. }
        | NodeKind::CommandSubstitution { command, .. }
        | NodeKind::ProcessSubstitution { command, .. } => walk(command, found),
        NodeKind::Redirect { target, .. } => walk(target, found),
        NodeKind::ConditionalExpr { redirects, .. }
        | NodeKind::ArithmeticCommand { redirects, .. } => all(redirects),
        NodeKind::Negation { pipeline } | NodeKind::Time { pipeline, .. } => walk(pipeline, found),
        NodeKind::Array { elements } => all(elements),
        // Text, and expressions of which the other parser keeps no commands.
        _ => {}
    }
}

/// The name where it is written without quotes and expansions.
fn name(word: &Node) -> Option<String> {
    let NodeKind::Word { value, .. } = &word.kind else { return None };
    let plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c));
    plain.then(|| value.clone())
}
