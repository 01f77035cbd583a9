//! What commands share with the terminal or service manager that started them: the screen, its width, and an end that is asked for.

pub(super) mod screen;
pub(super) mod stopping;
pub(super) mod width;
