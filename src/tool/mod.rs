//! The host's tools: what is registered of them. Constraints on their arguments stand in the scope.

mod manifest;

pub use self::manifest::{
    Field, RegisteredTool, ServerTrust, Shape, ToolManifest, ToolManifestError,
};
