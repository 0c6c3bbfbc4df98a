//! The host's tools: what is registered of them, and constraints on their arguments.

pub mod constraint;
mod manifest;

pub use self::manifest::{
    Field, RegisteredTool, ServerTrust, Shape, ToolManifest, ToolManifestError,
};
