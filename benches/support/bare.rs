//! The same question put to Cedar alone: the same policies, schema and facts, no slice, no receipt.

use std::collections::HashSet;
use std::str::FromStr as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request, Response, RestrictedExpression, Schema,
};
use countersign::testing;

use super::{HOST, PORT};

/// A policy set with everything prepared that does not change from call to call.
#[derive(Debug)]
pub struct Bare {
    engine: Authorizer,
    policies: PolicySet,
    schema: Schema,
    entities: Entities,
    principal: EntityUid,
    action: EntityUid,
    endpoint: EntityTypeName,
}

impl Bare {
    /// Prepares `policies` under the schema of the baseline bundle.
    pub fn new(policies: &str) -> Self {
        let schema = include_str!("../../policies/baseline/schema.cedarschema");
        let (schema, _) = Schema::from_cedarschema_str(schema).unwrap();
        let principal = uid("Agent", "spiffe://example.org/agent/coder/i-1");
        let class = uid("AgentClass", "spiffe://example.org/agent/coder");
        let owner = uid("Owner", "user:dana@example.org");
        let domain = uid("TrustDomain", "example.org");
        let parents = HashSet::from([class.clone(), owner.clone(), domain.clone()]);
        let entities = [
            Entity::new_no_attrs(principal.clone(), parents),
            Entity::new_no_attrs(class, HashSet::from([domain.clone()])),
            Entity::new_no_attrs(owner, HashSet::new()),
            Entity::new_no_attrs(domain, HashSet::new()),
        ];
        let bare = Self {
            engine: Authorizer::new(),
            policies: PolicySet::from_str(policies).unwrap(),
            entities: Entities::from_entities(entities, Some(&schema)).unwrap(),
            schema,
            principal,
            action: uid("Action", "Connect"),
            endpoint: "Endpoint".parse().unwrap(),
        };
        let response = bare.ask();
        assert_eq!(response.decision(), Decision::Allow, "{:?}", response.diagnostics());
        assert_eq!(response.diagnostics().errors().count(), 0);
        bare
    }

    /// Asks whether the agent may connect: context, checked request, decision.
    pub fn ask(&self) -> Response {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let long = RestrictedExpression::new_long;
        let counters = [
            "accelerator_seconds",
            "actions",
            "application",
            "data",
            "denials",
            "distinct_targets",
            "egress_bytes",
            "infrastructure",
            "workload",
        ];
        let counters = counters.map(|name| (name.to_owned(), long(0)));
        let context = [
            ("now", long(testing::NOW.as_millis().cast_signed())),
            ("task", text("bench-0")),
            ("purpose", text("Fix the flaky login test")),
            ("environment", text("test")),
            ("provenance", text("agent")),
            ("reversibility", text("compensable")),
            ("labels", RestrictedExpression::new_set([])),
            ("approvals", RestrictedExpression::new_set([])),
            ("counters", RestrictedExpression::new_record(counters).unwrap()),
            ("recent", RestrictedExpression::new_set([])),
            ("depth", long(0)),
            ("acting_through", RestrictedExpression::new_set([])),
            ("tier", text("")),
            ("host", text(HOST)),
            ("port", long(PORT.into())),
            ("transport", text("tcp")),
            ("zone", text("name")),
        ];
        let context = context.into_iter().map(|(name, value)| (name.to_owned(), value));
        let context = Context::from_pairs(context).unwrap();
        let id = EntityId::new(format!("{HOST}:{PORT}"));
        let resource = EntityUid::from_type_name_and_id(self.endpoint.clone(), id);
        let (principal, action) = (self.principal.clone(), self.action.clone());
        let request = Request::new(principal, action, resource, context, Some(&self.schema));
        self.engine.is_authorized(&request.unwrap(), &self.policies, &self.entities)
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.parse().unwrap(), EntityId::new(id))
}
