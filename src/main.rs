//! The `container-tracker` command.

fn main() {}
