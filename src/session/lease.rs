//! Leases of secrets: for one action of one session, once.

use crate::action::{Action, Target};
use crate::authorizer::{AuthorizeError, Pending, Permit};
use crate::digest::Digest;
use crate::governance::{LeaseTerms, Refusal, SecretLease};
use crate::reason::Reason;
use crate::session::acts::Noting;
use crate::session::{ActError, Session};
use crate::value::{Object, Value};

impl Session {
    /// Turns a permit to use a secret into a lease of it for `consumer`: the right to fetch it once, for that
    /// very action, in this session, for minutes.
    ///
    /// # Errors
    ///
    /// Returns [`ActError::Start`] when the permit has run out and [`ActError::Refused`] with a reason
    /// `lease.*`, which is on the chain.
    pub fn lease<U: Action, A: Action>(
        &self,
        permit: Permit<U>,
        consumer: &A,
    ) -> Result<SecretLease, ActError> {
        self.live.shared.check_blocking()?;
        self.store_act(self.leasing(permit, consumer)?)
    }

    /// Leases a secret as [`lease`](Self::lease) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`lease`](Self::lease).
    pub async fn lease_async<U: Action, A: Action>(
        &self,
        permit: Permit<U>,
        consumer: &A,
    ) -> Result<SecretLease, ActError> {
        self.live.shared.check_stores()?;
        self.store_act_async(self.leasing(permit, consumer)?).await
    }

    /// Leases a secret and yields the lines, for callers that store by themselves: no I/O.
    ///
    /// # Errors
    ///
    /// As [`lease`](Self::lease), where a refusal comes out once its line is stored.
    pub fn propose_lease<U: Action, A: Action>(
        &self,
        permit: Permit<U>,
        consumer: &A,
    ) -> Result<Pending<Result<SecretLease, Refusal>>, ActError> {
        self.live.shared.check_caller_stores()?;
        Ok(self.leasing(permit, consumer)?.pending)
    }

    fn leasing<U: Action, A: Action>(
        &self,
        permit: Permit<U>,
        consumer: &A,
    ) -> Result<Noting<SecretLease>, ActError> {
        let secret = match permit.effects() {
            [effect] => match effect.effect.target() {
                Target::Secret(secret) => Some(secret.clone()),
                _ => None,
            },
            _ => None,
        };
        let Some(secret) = secret.filter(|_| permit.session() == self.id()) else {
            let only = "only a permit of this session to use one secret becomes a lease";
            return Err(AuthorizeError::Misuse(only).into());
        };
        let ends = permit.until().min(self.live.place.ends());
        let (_, running) = permit.start().map_err(ActError::Start)?;
        running.report(true)?;
        let action = self.live.digest_of(consumer);
        Ok(self.live.noting("lease", |live, state, now, _| {
            let instance = live.place.agent.id().as_str();
            let terms = LeaseTerms { instance, secret: &secret, action, ends };
            let leased = state.governed.leases.issue(terms, now);
            (lease_value(&secret, action), leased)
        })?)
    }

    /// Redeems a lease for the action that `permit` allows: the secret may be fetched now, and never again on
    /// this lease. A permit that has run out, or would not start for another reason, redeems nothing.
    ///
    /// # Errors
    ///
    /// Returns [`ActError::Refused`] with a reason `lease.*`, which is on the chain.
    pub fn redeem<A: Action>(
        &self,
        lease: &SecretLease,
        permit: &Permit<A>,
    ) -> Result<SecretLease, ActError> {
        self.live.shared.check_blocking()?;
        self.store_act(self.redeeming(lease, permit)?)
    }

    /// Redeems a lease as [`redeem`](Self::redeem) does, through whichever sink there is.
    ///
    /// # Errors
    ///
    /// As [`redeem`](Self::redeem).
    pub async fn redeem_async<A: Action>(
        &self,
        lease: &SecretLease,
        permit: &Permit<A>,
    ) -> Result<SecretLease, ActError> {
        self.live.shared.check_stores()?;
        // What borrows the action is over before anything is waited for.
        let noting = self.redeeming(lease, permit)?;
        self.store_act_async(noting).await
    }

    /// Redeems a lease and yields the lines, for callers that store by themselves: no I/O.
    ///
    /// # Errors
    ///
    /// As [`redeem`](Self::redeem), where a refusal comes out once its line is stored.
    pub fn propose_redeem<A: Action>(
        &self,
        lease: &SecretLease,
        permit: &Permit<A>,
    ) -> Result<Pending<Result<SecretLease, Refusal>>, AuthorizeError> {
        self.live.shared.check_caller_stores()?;
        Ok(self.redeeming(lease, permit)?.pending)
    }

    fn redeeming<A: Action>(
        &self,
        lease: &SecretLease,
        permit: &Permit<A>,
    ) -> Result<Noting<SecretLease>, AuthorizeError> {
        let of_permit = permit.action().filter(|_| permit.session() == self.id());
        let action = of_permit.map(|action| self.live.digest_of(action));
        self.live.noting("redeem", |live, state, now, _| {
            let instance = live.place.agent.id().as_str();
            let redeemed = match action {
                None => Err(Reason::LeaseWrongSession.into()),
                Some(_) if !live.holds(state, permit.terms(), now) => {
                    Err(Reason::LeaseExpired.into())
                }
                Some(action) => {
                    let leases = &mut state.governed.leases;
                    leases.redeem(lease.id(), action, instance, lease.session(), now)
                }
            };
            (lease_value(lease.secret(), lease.action()), redeemed)
        })
    }
}

fn lease_value(secret: &str, action: Digest) -> String {
    let mut value = Object::new();
    value.insert("action".into(), Value::String(action.to_string()));
    value.insert("secret".into(), Value::String(secret.to_owned()));
    Value::Object(value).to_canonical()
}
