//! What a component wants from the host. A world is a list of capabilities, and the only one there
//! is to be had is the log.

use wasmtime::component::Component;
use wasmtime::component::types::{ComponentInstance, ComponentItem};

use super::error::Error;

/// The names of the interfaces that a component imports functions from, or [`Error::Imports`]. An
/// interface that brings types alone wants nothing, and is left out.
pub(super) fn check(component: &Component) -> Result<Vec<String>, Error> {
    let engine = component.engine();
    let mut given = Vec::new();
    let mut wanted = Vec::new();
    for (name, import) in component.component_type().imports(engine) {
        match import.ty {
            ComponentItem::Type(_) => {}
            ComponentItem::ComponentInstance(interface) => {
                let functions = functions(&interface, engine);
                if functions.is_empty() {
                    continue;
                }
                if !is_interface(name, "throwbar:plugin/log") {
                    wanted.push(name.to_owned());
                    continue;
                }
                given.push(name.to_owned());
                let unknown = functions.iter().filter(|function| *function != "log");
                wanted.extend(unknown.map(|function| format!("{name}#{function}")));
            }
            _ => wanted.push(name.to_owned()),
        }
    }
    if wanted.is_empty() {
        Ok(given)
    } else {
        Err(Error::Imports { wanted })
    }
}

/// Whether `name` is this interface in a released version of major 1.
pub(super) fn is_interface(name: &str, interface: &str) -> bool {
    name.split_once('@').is_some_and(|(base, version)| {
        base == interface && version.starts_with("1.") && !version.contains('-')
    })
}

fn functions(interface: &ComponentInstance, engine: &wasmtime::Engine) -> Vec<String> {
    interface
        .exports(engine)
        .filter(|(_, item)| !matches!(item.ty, ComponentItem::Type(_)))
        .map(|(name, _)| name.to_owned())
        .collect()
}
