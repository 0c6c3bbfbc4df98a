//! What the replay leaves for an auditor: a directory with everything that `examples/auditor` reads.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use countersign::Sink;
use countersign::authorizer::{CheckpointSink, Checkpoints};
use countersign::receipt::{Checkpoint, Durability, FileSink, LogName, SignError, TrustedKey};
use countersign::scope::Scope;

/// The name under which the checkpoints of this example stand.
const NAME: &str = "receipts.example.org/rome";

/// A directory of evidence.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    folder: PathBuf,
    kept: Arc<Mutex<Option<Result<Checkpoint, SignError>>>>,
}

impl Evidence {
    /// Takes the directory on the command line, which must not be there yet, or one among the temporary
    /// files, which is made anew.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let folder = match std::env::args_os().nth(1) {
            Some(folder) => PathBuf::from(folder),
            None => {
                let folder = std::env::temp_dir().join("countersign-rome-replay");
                match fs::remove_dir_all(&folder) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                    _ => folder,
                }
            }
        };
        fs::create_dir(&folder)?;
        Ok(Self { folder, kept: Arc::default() })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn receipts(&self) -> PathBuf {
        self.folder.join("receipts.ndjson")
    }

    /// Stores receipts, and their openings in a file of their own.
    pub(crate) fn sink(&self) -> Result<Sink, Box<dyn Error>> {
        let sink = FileSink::create(self.receipts(), Durability::ProcessCrash)?;
        Ok(Sink::blocking(sink.with_openings(self.folder.join("openings.ndjson"))?))
    }

    /// Signs a checkpoint when the session closes, for this directory to keep.
    pub(crate) fn checkpoints(&self) -> Result<Checkpoints, Box<dyn Error>> {
        Ok(Checkpoints::of(LogName::parse(NAME)?, self.clone()).at_each_close())
    }

    /// Writes what does not come by itself. In earnest the key comes to the auditor by another way than
    /// the files, and the checkpoint from somebody who keeps it against the host.
    pub(crate) fn finish(&self, scope: &Scope, key: &TrustedKey) -> Result<(), Box<dyn Error>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        let checkpoint = kept.ok_or("no session was closed")??;
        for (name, text) in [
            ("checkpoint.note", checkpoint.as_str().to_owned()),
            ("identity.txt", format!("{key}\n")),
            ("log-name.txt", format!("{NAME}\n")),
            ("scope.json", format!("{}\n", scope.as_canonical())),
        ] {
            fs::write(self.folder.join(name), text)?;
        }
        Ok(())
    }
}

impl CheckpointSink for Evidence {
    fn take(&self, checkpoint: Result<Checkpoint, SignError>) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(checkpoint);
    }
}
