//! What a request has run: a script, or a function.

use std::fmt;
use std::sync::Arc;

use super::functions::Function;
use super::scripts::{Needs, Script, ScriptFlags};
use crate::script;

/// See the module.
#[derive(Clone)]
pub enum Callee {
    /// A script.
    Script(Arc<Script>),
    /// A function.
    Function(Arc<Function>),
}

impl Callee {
    /// What it says of itself. A function always does.
    pub fn flags(&self) -> Option<ScriptFlags> {
        match self {
            Self::Script(script) => script.flags,
            Self::Function(function) => Some(function.flags),
        }
    }

    /// Where it has to run.
    pub fn needs(&self) -> &Needs {
        match self {
            Self::Script(script) => &script.needs,
            Self::Function(function) => &function.needs,
        }
    }

    /// As Lua knows it.
    pub fn in_lua(&self) -> script::Callee<'_> {
        match self {
            Self::Script(script) => script::Callee::Script(script.sha),
            Self::Function(function) => script::Callee::Function {
                library: &function.library.name,
                name: &function.name,
            },
        }
    }

    /// Whether it is a function.
    pub fn is_function(&self) -> bool {
        matches!(self, Self::Function(_))
    }
}

/// Its name: of a script its digest.
impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_lua().fmt(f)
    }
}
