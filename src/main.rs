//! The `container-tracker` command.

fn main() -> std::process::ExitCode {
    container_tracker::cli::main()
}
