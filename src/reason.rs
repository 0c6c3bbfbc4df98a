//! The reason codes: why an effect was not allowed, as stable strings.
//!
//! A code is never reused for another meaning. Receipts carry the codes; people read the sentences.

macro_rules! reasons {
    ($($(#[$group:meta])* $variant:ident = $code:literal: $sentence:literal;)*) => {
        /// Why an effect was denied or deferred.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $(#[doc = concat!("`", $code, "`: ", $sentence, ".")] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// Returns the meaning as a clause for people.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)* }
            }

            /// Finds the reason that has `code`.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)* _ => None }
            }

            /// Tells whether this stops a session whatever it asks for.
            pub(crate) fn stops(self) -> bool {
                matches!(self, Self::DelegationEnded | Self::SessionHalted | Self::IdentityExpired)
                    || self.code().starts_with("revoked.")
            }
        }
    };
}

reasons! {
    ActionNoEffect = "action.no_effect": "the action names no effect at all";
    ActionTooManyEffects = "action.too_many_effects": "the action has more effects than are decided at once";
    ActionTooLarge = "action.too_large": "a part of the action is longer than its limit";
    ActionName = "action.name": "a name in the action is empty or has a form that its kind does not allow";
    ActionInvisibleCharacter = "action.invisible_character": "a name in the action holds a control, bidirectional or invisible character";
    ActionNumber = "action.number": "a number in the action cannot be held exactly";
    ActionUrl = "action.url": "a URL in the action does not parse, carries credentials, or has no host";
    ActionUnknownKind = "action.unknown_kind": "the kind of the action is not registered with the bundle";
    ActionSchema = "action.schema": "the facts of the action do not fit the schema of its kind";

    PathEmpty = "path.empty": "the path is empty";
    PathRelative = "path.relative": "the path is relative and nothing says to what";
    PathNotUtf8 = "path.not_utf8": "the path is not UTF-8";
    PathControlCharacter = "path.control_character": "the path holds a control character";
    PathInvisibleCharacter = "path.invisible_character": "the path holds a bidirectional or invisible character";
    PathTooLong = "path.too_long": "the path is longer than the kernel takes";
    PathTooDeep = "path.too_deep": "the path has too many components";
    PathTooManyLinks = "path.too_many_links": "the path goes through too many symbolic links";
    PathDotdotAfterMissing = "path.dotdot_after_missing": "the path goes up again from something that does not exist";
    PathNotADirectory = "path.not_a_directory": "the path goes through something that is no directory";
    PathMagicLink = "path.magic_link": "the path goes through a link that means something else in each process";
    PathNotAName = "path.not_a_name": "what should be one component of a path is not";
    PathIo = "path.io": "the file system could not be asked about the path";

    HostEmpty = "host.empty": "the host is empty";
    HostInvalid = "host.invalid": "the host is neither a name nor an address";
    HostTooLong = "host.too_long": "the host name is too long";
    HostInvisibleCharacter = "host.invisible_character": "the host holds a control, bidirectional or invisible character";
    HostZoneId = "host.zone_id": "the address has a zone id";
    HostPort = "host.port": "the port is missing or out of range";
    HostPattern = "host.pattern": "the host is a pattern";
    HostTooManyAddresses = "host.too_many_addresses": "the name has more resolved addresses than are decided at once";

    ShellSyntax = "shell.syntax": "the line is not in the part of the shell language that is understood";
    ShellTooLarge = "shell.too_large": "the line is longer, deeper or has more commands than are looked at";
    ShellDialect = "shell.dialect": "the line is written for a shell that is not understood";
    ShellInvisibleCharacter = "shell.invisible_character": "the line holds a control, bidirectional, invisible or look-alike character where it matters";
    ShellDynamicProgram = "shell.dynamic_program": "which program is run is known only when the line runs";
    ShellDynamicArgument = "shell.dynamic_argument": "an argument that changes what the program does is known only when the line runs";
    ShellDynamicPath = "shell.dynamic_path": "a path is known only when the line runs";
    ShellUnknownProgram = "shell.unknown_program": "nobody has described what this program does";
    ShellUnknownOption = "shell.unknown_option": "nobody has described this option or subcommand of the program";
    ShellArguments = "shell.arguments": "the arguments are not ones that the program takes";
    ShellBuiltin = "shell.builtin": "a command of the shell itself changes what other commands mean";
    ShellEnvironment = "shell.environment": "a variable is set that changes what programs do";
    ShellCodeOnStdin = "shell.code_on_stdin": "an interpreter reads its code from its input";
    ShellForeignCode = "shell.foreign_code": "code in another language is run that cannot be looked into";
    ShellInnerLanguage = "shell.inner_language": "the program that is handed to a tool is not in the part of its language that is understood";
    ShellAppendedArguments = "shell.appended_arguments": "a program gets arguments that are known only when the line runs";
    ShellCreatedName = "shell.created_name": "a path goes through a name that the line itself creates or changes";
    ShellWorkingDirectory = "shell.working_directory": "the directory that a relative path starts at is not known";
    ShellArithmetic = "shell.arithmetic": "an arithmetic expression may run commands";
    ShellProfile = "shell.profile": "the shell reads start-up files that were not declared harmless";
    ShellNetwork = "shell.network": "the program connects to a place that the line does not name";

    ToolUnregistered = "tool.unregistered": "the tool is not registered";
    ToolSchemaChanged = "tool.schema_changed": "the schema of the tool is not the registered one";
    ToolArgument = "tool.argument": "an argument does not fit the registered schema of the tool";

    IdentityMismatch = "identity.mismatch": "the scope was given to another agent";
    IdentityDuplicate = "identity.duplicate": "the instance is at work already, under another credential";
    IdentityExpired = "identity.expired": "the credential of the agent, or of one that it acts for, has expired";

    DelegationDepth = "delegation.depth": "the scope may not be handed on, or not as far as that";
    DelegationParent = "delegation.parent": "the scope does not name the one that it was handed on from";
    DelegationParty = "delegation.party": "the scope has another owner, or is for another party, than the one that it was handed on from";
    DelegationAgent = "delegation.agent": "the scope may not be handed on to this agent";
    DelegationLifetime = "delegation.lifetime": "the scope begins earlier or ends later than the one that it was handed on from";
    DelegationFanOut = "delegation.fan_out": "the session has handed its scope on as often as it may";
    DelegationEnded = "delegation.ended": "a session that delegated to this one has ended";
    DelegationToken = "delegation.token": "what should be a token of a delegation cannot be read, or its signature does not hold";
    DelegationIssuer = "delegation.issuer": "who signed it is no known authorizer of the trust domain that it speaks for";
    DelegationAudience = "delegation.audience": "the token is for another authorizer";
    DelegationNotYetValid = "delegation.not_yet_valid": "it is dated later than now";
    DelegationExpired = "delegation.expired": "the token has expired";
    DelegationLongLived = "delegation.long_lived": "the token lives longer than a token may";
    DelegationHop = "delegation.hop": "an agent on the way is not the one that its scope was given to";
    DelegationCycle = "delegation.cycle": "an instance is on the way twice";
    DelegationTrustDomain = "delegation.trust_domain": "the bundle lets nothing be handed on from one of the trust domains to the next";
    DelegationReplayed = "delegation.replayed": "the token was redeemed before, or nobody knows that it was not";
    DelegationTooMany = "delegation.too_many": "more tokens were redeemed than can be remembered";
    DelegationReturn = "delegation.return": "what came back belongs to another delegation";

    RevokedHalt = "revoked.halt": "everything is stopped";
    RevokedInstance = "revoked.instance": "the agent instance, or one that it acts for, is revoked";
    RevokedAgent = "revoked.agent": "a class of agents is revoked that the instance, or one that it acts for, lies in";
    RevokedTask = "revoked.task": "the task is revoked";
    RevokedScope = "revoked.scope": "the scope, or one that it was handed on from, is revoked";
    RevokedIssuer = "revoked.issuer": "who issued the scope is revoked";
    RevokedKey = "revoked.key": "a key is revoked that the session rests on";
    RevokedSession = "revoked.session": "the session, or one that it acts for, is revoked";

    SessionNotYetValid = "session.not_yet_valid": "the scope is not valid yet";
    SessionExpired = "session.expired": "the scope has expired";
    SessionLabelsFull = "session.labels_full": "the session has touched more classes of data than can be told apart";
    SessionHalted = "session.halted": "the session, or one that it acts for, was halted by hand";
    SessionClock = "session.clock": "the time cannot be told";
    SessionClockBackwards = "session.clock_backwards": "the clock went backwards";

    ModeObserved = "mode.observed": "the answer was recorded and bound nobody";

    ScopeTool = "scope.tool": "the task was not given this tool";
    ScopeToolArgument = "scope.tool_argument": "the task was given this tool, but not with these arguments";
    ScopeApi = "scope.api": "the task was not given this API operation";
    ScopeWorkflow = "scope.workflow": "the task was not given this workflow";
    ScopeMessage = "scope.message": "the task was not given this recipient";
    ScopeSpawn = "scope.spawn": "the task may not start this agent";
    ScopePayment = "scope.payment": "the task was not given this payment";
    ScopePublish = "scope.publish": "the task may not publish this";
    ScopeRemoteShell = "scope.remote_shell": "the task may not hand an interpreter to this peer";
    ScopeProgram = "scope.program": "the task was not given this program";
    ScopeConnect = "scope.connect": "the task may not connect there";
    ScopeResolvedAddress = "scope.resolved_address": "the name was granted, but it resolves to an address that is not public and was not";
    ScopeListen = "scope.listen": "the task may not listen there";
    ScopeTunnel = "scope.tunnel": "the task may not open this tunnel";
    ScopeSecret = "scope.secret": "the task was not given this secret";
    ScopePrivilege = "scope.privilege": "the task was not given this privilege";
    ScopeIdentity = "scope.identity": "the task may not take this identity";
    ScopeTier = "scope.tier": "the bundle has no such risk tier";
    ScopeInfrastructure = "scope.infrastructure": "the task may not change this infrastructure";
    ScopePackage = "scope.package": "the task may not install this package";
    ScopeRead = "scope.read": "the task may not read this";
    ScopeWrite = "scope.write": "the task may not write this";
    ScopeDelete = "scope.delete": "the task may not delete this";
    ScopeExport = "scope.export": "the task may not export this";
    ScopeMemoryRead = "scope.memory_read": "the task may not recall this memory";
    ScopeMemoryWrite = "scope.memory_write": "the task may not write this memory";
    ScopeModel = "scope.model": "the task was not given this model";
    ScopeJob = "scope.job": "the task may not submit this job";
    ScopeAccelerator = "scope.accelerator": "the task was not given accelerators";
    ScopeTraining = "scope.training": "the task may not train this";
    ScopeAction = "scope.action": "the task was not given this action of the host";
    ScopeOpaque = "scope.opaque": "a part of the action could not be understood, and the task grants no such part";

    ApprovalMalformed = "approval.malformed": "the signed document is no approval";
    ApprovalUnknownRequest = "approval.unknown_request": "nothing is pending under this request";
    ApprovalWrongSession = "approval.wrong_session": "the approval is for another session";
    ApprovalWrongAction = "approval.wrong_action": "the approval is for another action than its request";
    ApprovalWrongDomain = "approval.wrong_domain": "the request asks nobody for this domain";
    ApprovalWrongQuorum = "approval.wrong_quorum": "the request does not ask this quorum";
    ApprovalScopeChanged = "approval.scope_changed": "the approval is for another scope than the one that holds now";
    ApprovalBundleChanged = "approval.bundle_changed": "the approval is for another bundle than the one that holds now";
    ApprovalExpired = "approval.expired": "the approval, or its request, has expired";
    ApprovalNotYetValid = "approval.not_yet_valid": "the approval is dated later than now";
    ApprovalBeforeRequest = "approval.before_request": "the approval is dated before what it approves was asked for";
    ApprovalTooLong = "approval.too_long": "the approval would hold for longer than approvals may";
    ApprovalUnknownKey = "approval.unknown_key": "the key of the approval is nobody's";
    ApprovalWrongPerson = "approval.wrong_person": "the key of the approval is not the key of the person that it names";
    ApprovalNotEligible = "approval.not_eligible": "the approver has no role that the quorum counts";
    ApprovalRequester = "approval.requester": "the approver is the one for whom the task is done";
    ApprovalOwner = "approval.owner": "the approver is the owner of the task, and the quorum does not count owners";
    ApprovalAgent = "approval.agent": "an agent or a service cannot approve";
    ApprovalDuplicate = "approval.duplicate": "this person has approved this already";
    ApprovalUsed = "approval.used": "what was approved has been used";
    ApprovalRevoked = "approval.revoked": "the approval was revoked";
    ApprovalRejected = "approval.rejected": "a person has rejected the action";
    ApprovalTooManyPending = "approval.too_many_pending": "too many approvals are pending in this session";
    ApprovalTooMany = "approval.too_many": "the request, or the session, holds no more approvals";
    ApprovalUnaskable = "approval.unaskable": "the call cannot be put before people as it is";
    ApprovalPattern = "approval.pattern": "the pattern of the standing grant cannot be used in this scope";

    ElevationMalformed = "elevation.malformed": "the signed document is no elevation";
    ElevationAbsent = "elevation.absent": "the bundle names nobody who may add to a scope in this way";
    ElevationWrongTask = "elevation.wrong_task": "the elevation is for another task";
    ElevationWrongScope = "elevation.wrong_scope": "the elevation adds to a scope that the session does not have";
    ElevationPattern = "elevation.pattern": "what the elevation adds cannot be used in this scope";
    ElevationNotYetValid = "elevation.not_yet_valid": "the elevation is dated later than now";
    ElevationExpired = "elevation.expired": "the elevation has expired";
    ElevationTooLong = "elevation.too_long": "the elevation would hold for longer than the bundle allows";
    ElevationPastScope = "elevation.past_scope": "the elevation would outlive its scope";
    ElevationEnded = "elevation.ended": "the elevation was ended before its time";
    ElevationUnknownKey = "elevation.unknown_key": "the key of the elevation is nobody's";
    ElevationNotEligible = "elevation.not_eligible": "the signer has no role that the quorum counts";
    ElevationRequester = "elevation.requester": "the signer is the one for whom the task is done";
    ElevationOwner = "elevation.owner": "the signer is the owner of the task, and the quorum does not count owners";
    ElevationAgent = "elevation.agent": "an agent or a service cannot add to a scope";
    ElevationDuplicate = "elevation.duplicate": "this person has signed this elevation already";
    ElevationRevoked = "elevation.revoked": "the elevation was revoked";
    ElevationTooMany = "elevation.too_many": "the session holds no more elevations";

    DeclassificationMalformed = "declassification.malformed": "the signed documents are no declassification, or not one and the same";
    DeclassificationAbsent = "declassification.absent": "the bundle names nobody who may declassify";
    DeclassificationWrongSession = "declassification.wrong_session": "the declassification is for another session or scope";
    DeclassificationLabel = "declassification.label": "the session is not bound by that label";
    DeclassificationNotYetValid = "declassification.not_yet_valid": "the declassification is dated later than now";
    DeclassificationExpired = "declassification.expired": "the declassification has expired";
    DeclassificationTooLong = "declassification.too_long": "the declassification would hold for longer than the bundle allows";
    DeclassificationUsed = "declassification.used": "the declassification was used";
    DeclassificationRevoked = "declassification.revoked": "a signature under the declassification was revoked";
    DeclassificationQuorum = "declassification.quorum": "too few people who count have signed the declassification";

    LeaseUnknown = "lease.unknown": "there is no such lease of a secret";
    LeaseWrongSession = "lease.wrong_session": "the secret was leased in another session";
    LeaseWrongInstance = "lease.wrong_instance": "the secret was leased to another instance";
    LeaseWrongAction = "lease.wrong_action": "the secret was leased for another action";
    LeaseExpired = "lease.expired": "the lease of the secret, or the permit of the action that consumes it, has run out";
    LeaseUsed = "lease.used": "the lease of the secret was used";
    LeaseTooMany = "lease.too_many": "too many secrets are on lease in this session";

    LimitActions = "limit.actions": "the task has used up its actions";
    LimitRate = "limit.rate": "the task acts too fast";
    LimitDenials = "limit.denials": "the task was denied too often and is stopped";
    LimitTargets = "limit.distinct_targets": "the task has touched too many different targets";
    LimitEgress = "limit.egress_bytes": "the task has used up the bytes that it may send out";
    LimitAccelerator = "limit.accelerator_seconds": "the task has used up its accelerator time";
    LimitDomain = "limit.domain": "the task has used up its actions in this domain";
    LimitTool = "limit.tool": "the task has used up its calls of this tool";
    LimitSpend = "limit.spend": "the task has used up its money";

    PolicyForbid = "policy.forbid": "a policy forbids it";
    PolicyTemporal = "policy.temporal": "it may not come after what the session did before";
    PolicyNoPermit = "policy.no_permit": "no policy permits it";
    PolicyApproval = "policy.approval": "a policy asks for an approval";
    PolicyError = "policy.error": "a policy failed while it was evaluated, so that nothing it says can be trusted";
    PolicyNoReason = "policy.no_reason": "the engine allowed without naming a policy";
    PolicyRequest = "policy.request": "the request does not fit the schema of the bundle";
    PolicyEntityMissing = "policy.entity_missing": "an entity that the request refers to is not in the store";
    PolicyUnrepresentable = "policy.unrepresentable": "a fact cannot be expressed for the policy engine exactly";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_found_again() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_code(reason.code()), Some(*reason));
            let lower = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(&byte)
            };
            assert!(reason.code().bytes().all(lower), "{reason}");
        }
        assert_eq!(Reason::from_code("scope"), None);
    }
}
