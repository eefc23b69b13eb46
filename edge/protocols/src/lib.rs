//! The devices' languages as pure state machines. Nothing here does I/O or reads a clock.
