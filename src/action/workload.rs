//! Actions of the workload domain: models, jobs, accelerators, training.

use std::borrow::Cow;

use crate::action::effect::{segments, token};
use crate::action::{
    Action, Effect, EffectContext, Effects, Fact, Facts, Kind, Malformed, Target, Usage, object,
};
use crate::reason::Reason;
use crate::value::Value;

/// Asks a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvokeModel {
    model: String,
    provider: Option<String>,
}

impl InvokeModel {
    /// Proposes to ask `model` (segments with `/`).
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), provider: None }
    }

    /// States who runs it.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }
}

impl Action for InvokeModel {
    fn kind(&self) -> Cow<'static, str> {
        "InvokeModel".into()
    }

    fn describe(&self) -> Value {
        object([
            ("model", self.model.as_str().into()),
            ("provider", self.provider.as_deref().map_or(Value::Null, Value::from)),
        ])
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        let effect = segments(&self.model, '/').and_then(|model| {
            let provider = self.provider.as_deref().map(token).transpose()?;
            let facts = Facts::new().maybe("provider", provider.map(text));
            Ok(Effect::new(Kind::InvokeModel, Target::Model(model)).with_facts(facts))
        });
        effects.push_or_opaque(&Kind::InvokeModel, effect);
    }
}

fn text(text: Box<str>) -> Fact {
    Fact::Text(text.into())
}

/// How much of which accelerator a job or a program takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseAccelerator {
    kind: String,
    count: u32,
    seconds: Option<u64>,
}

impl UseAccelerator {
    /// Proposes to use `count` accelerators of `kind` (`gpu`, `gpu:a100`, `tpu`, …).
    #[must_use]
    pub fn new(kind: impl Into<String>, count: u32) -> Self {
        Self { kind: kind.into(), count, seconds: None }
    }

    /// States for how many seconds each is used at most; undeclared counts as the whole budget.
    #[must_use]
    pub const fn seconds(mut self, seconds: u64) -> Self {
        self.seconds = Some(seconds);
        self
    }

    fn effect(&self) -> Result<Effect, Malformed> {
        let kind = token(&self.kind)?;
        if self.count == 0 {
            return Err(Reason::ActionNumber.into());
        }
        let total = self
            .seconds
            .map(|seconds| seconds.checked_mul(u64::from(self.count)).ok_or(Reason::ActionNumber));
        let total = total.transpose()?;
        let seconds = self.seconds.map(i64::try_from).transpose();
        let seconds = seconds.map_err(|_| Reason::ActionNumber)?;
        let facts = Facts::new()
            .long("count", i64::from(self.count))
            .maybe("seconds", seconds.map(Fact::Long));
        let usage = total.map_or(Usage::UndeclaredAcceleratorSeconds, Usage::AcceleratorSeconds);
        Ok(Effect::new(Kind::UseAccelerator, Target::Accelerator { kind })
            .with_facts(facts)
            .with_usage(usage))
    }

    fn describe_parts(&self) -> Value {
        object([
            ("count", i64::from(self.count).into()),
            ("kind", self.kind.as_str().into()),
            ("seconds", self.seconds.map_or(Value::Null, Value::from)),
        ])
    }
}

impl Action for UseAccelerator {
    fn kind(&self) -> Cow<'static, str> {
        "UseAccelerator".into()
    }

    fn describe(&self) -> Value {
        self.describe_parts()
    }

    fn effects(&self, _context: &EffectContext<'_>, effects: &mut Effects) {
        effects.push_or_opaque(&Kind::UseAccelerator, self.effect());
    }
}

/// Submits a job to a queue, cluster or scheduler.
///
/// What the job does is added with [`and`](SubmitJob::and): a job that connects to a mining pool has
/// the effects of that connection.
pub struct SubmitJob {
    queue: String,
    name: String,
    image: Option<String>,
    accelerators: Option<UseAccelerator>,
    also: Vec<Box<dyn Action + Sync>>,
}

impl SubmitJob {
    /// Proposes to submit the job called `name` to `queue`.
    #[must_use]
    pub fn new(queue: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            queue: queue.into(),
            name: name.into(),
            image: None,
            accelerators: None,
            also: Vec::new(),
        }
    }

    /// States the container image.
    #[must_use]
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// States the accelerators that the job takes: an effect of its own.
    #[must_use]
    pub fn accelerators(mut self, accelerators: UseAccelerator) -> Self {
        self.accelerators = Some(accelerators);
        self
    }

    /// Adds something that the job does.
    #[must_use]
    pub fn and(mut self, action: impl Action + Sync + 'static) -> Self {
        self.also.push(Box::new(action));
        self
    }

    fn effect(&self) -> Result<Effect, Malformed> {
        let queue = segments(&self.queue, '/')?;
        let name = segments(&self.name, '/')?;
        let image = self.image.as_deref().map(|image| segments(image, '/')).transpose()?;
        let facts = Facts::new().text("name", name.to_string()).maybe("image", image.map(text));
        Ok(Effect::new(Kind::SubmitJob, Target::Job { queue, name }).with_facts(facts))
    }
}

impl std::fmt::Debug for SubmitJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubmitJob")
            .field("queue", &self.queue)
            .field("name", &self.name)
            .field("image", &self.image)
            .field("accelerators", &self.accelerators)
            .field("also", &self.also.iter().map(|action| action.kind()).collect::<Vec<_>>())
            .finish()
    }
}

impl Action for SubmitJob {
    fn kind(&self) -> Cow<'static, str> {
        "SubmitJob".into()
    }

    fn describe(&self) -> Value {
        let also = self.also.iter().map(|action| {
            object([
                ("action", action.describe()),
                ("kind", Value::from(action.kind().into_owned())),
            ])
        });
        let accelerators = self.accelerators.as_ref().map(UseAccelerator::describe_parts);
        object([
            ("accelerators", accelerators.unwrap_or(Value::Null)),
            ("also", Value::Array(also.collect())),
            ("image", self.image.as_deref().map_or(Value::Null, Value::from)),
            ("name", self.name.as_str().into()),
            ("queue", self.queue.as_str().into()),
        ])
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        effects.push_or_opaque(&Kind::SubmitJob, self.effect());
        if let Some(accelerators) = &self.accelerators {
            accelerators.effects(context, effects);
        }
        for action in &self.also {
            action.effects(context, effects);
        }
    }
}

/// Starts to train or tune a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartTraining {
    model: String,
    dataset: Option<String>,
    accelerators: Option<UseAccelerator>,
}

impl StartTraining {
    /// Proposes to train `model` (segments with `/`).
    #[must_use]
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), dataset: None, accelerators: None }
    }

    /// States the data set.
    #[must_use]
    pub fn dataset(mut self, dataset: impl Into<String>) -> Self {
        self.dataset = Some(dataset.into());
        self
    }

    /// States the accelerators that the run takes: an effect of its own.
    #[must_use]
    pub fn accelerators(mut self, accelerators: UseAccelerator) -> Self {
        self.accelerators = Some(accelerators);
        self
    }
}

impl Action for StartTraining {
    fn kind(&self) -> Cow<'static, str> {
        "StartTraining".into()
    }

    fn describe(&self) -> Value {
        let accelerators = self.accelerators.as_ref().map(UseAccelerator::describe_parts);
        object([
            ("accelerators", accelerators.unwrap_or(Value::Null)),
            ("dataset", self.dataset.as_deref().map_or(Value::Null, Value::from)),
            ("model", self.model.as_str().into()),
        ])
    }

    fn effects(&self, context: &EffectContext<'_>, effects: &mut Effects) {
        let effect = segments(&self.model, '/').and_then(|model| {
            let dataset = self.dataset.as_deref().map(|name| segments(name, '/')).transpose()?;
            let facts = Facts::new().maybe("dataset", dataset.map(text));
            Ok(Effect::new(Kind::StartTraining, Target::Training(model)).with_facts(facts))
        });
        effects.push_or_opaque(&Kind::StartTraining, effect);
        if let Some(accelerators) = &self.accelerators {
            accelerators.effects(context, effects);
        }
    }
}
