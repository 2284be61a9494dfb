//! How many files and connections the process may open.

/// Open files where the system does not say.
const FILES_MAX_USUAL: u64 = 1024;

/// How many files, connections among them, this process may open: raised as far as the system lets it.
pub(super) fn files_max() -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files_max) => {
            tracing::debug!(files_max, "the limit of open files");
            files_max
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the limit of open files can't be raised: raise it with ulimit -n"
            );
            rlimit::Resource::NOFILE
                .get_soft()
                .unwrap_or(FILES_MAX_USUAL)
        }
    }
}
