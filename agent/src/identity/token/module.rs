//! PKCS#11 libraries in use.
//!
//! A library knows one state for the whole process: it is loaded once and stays, is started (`C_Initialize`) for its
//! first user and ended (`C_Finalize`) after its last. Many of them look for tokens only when they are started, so code that
//! misses a token releases the library and takes it again.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, RvError};

use super::words::{needs, words};
use crate::identity::token_error::TokenError;

/// Every library that was ever loaded, and how many use it.
static LOADED: Mutex<Vec<Loaded>> = Mutex::new(Vec::new());

struct Loaded {
    path: PathBuf,
    library: Pkcs11,
    users: usize,
}

/// One use of a library.
#[derive(Debug)]
pub(super) struct Module {
    path: PathBuf,
    library: Pkcs11,
}

impl Module {
    pub(super) fn take(path: &Path) -> Result<Self, TokenError> {
        let unusable = |error: Error| TokenError::Module { path: path.into(), why: words(&error) };
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        let index = match loaded.iter().position(|one| one.path == path) {
            Some(index) => index,
            None => {
                let library = Pkcs11::new(path).map_err(unusable)?;
                loaded.push(Loaded { path: path.into(), library, users: 0 });
                loaded.len() - 1
            }
        };
        let one = &mut loaded[index];
        if one.users == 0 {
            match one.library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
                Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, Function::Initialize)) => {}
                Err(error) => {
                    let (why, needs) = (words(&error), needs(path));
                    return Err(TokenError::NotStarted { path: path.into(), why, needs });
                }
            }
        }
        one.users += 1;
        Ok(Self { path: path.into(), library: one.library.clone() })
    }

    pub(super) fn library(&self) -> &Pkcs11 {
        &self.library
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = loaded.iter_mut().find(|one| one.path == self.path) {
            one.users -= 1;
            if one.users == 0 {
                // One that can't be ended is found started the next time, and used so.
                let _ = one.library.clone().finalize();
            }
        }
    }
}
