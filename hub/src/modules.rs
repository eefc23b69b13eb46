//! THE LIST: every module of the hub, lowest floor first. Migrations and set-up run in this order.

use crate::kernel::base;
use crate::kernel::module::Module;
use crate::{accounts, gateways, link, sites, telemetry};

pub fn all() -> Vec<Module> {
    vec![
        base::module(),
        accounts::module(),
        sites::module(),
        gateways::module(),
        telemetry::module(),
        link::module(),
    ]
}
