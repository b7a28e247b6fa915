//! Options of the form `[VIF=]VALUE`: for every virtual interface, or for one.

use crate::Refused;
use crate::aws::VirtualInterface;
use crate::cli::PerVif;

/// The values for this VIF alone if there are any, else those for all.
pub(super) fn matching<'a, T>(
    vif: &'a VirtualInterface,
    values: &'a [PerVif<T>],
) -> impl Iterator<Item = &'a T> {
    let own = |one: &&PerVif<T>| one.vif.as_deref().is_some_and(|name| is(vif, name));
    let has_own = values.iter().any(|one| own(&one));
    values
        .iter()
        .filter(move |one| if has_own { own(one) } else { one.vif.is_none() })
        .map(|one| &one.value)
}

pub(super) fn last<'a, T>(vif: &'a VirtualInterface, values: &'a [PerVif<T>]) -> Option<&'a T> {
    matching(vif, values).last()
}

/// `VIF=value` for a VIF that isn't among the arguments is a slip.
pub(super) fn check_named<T>(
    vifs: &[VirtualInterface],
    values: &[PerVif<T>],
) -> Result<(), Refused> {
    for name in values.iter().filter_map(|one| one.vif.as_ref()) {
        if !vifs.iter().any(|vif| is(vif, name)) {
            return Err(Refused::new(format!(
                "`{name}=…`: {name} is none of the virtual interfaces given"
            )));
        }
    }
    Ok(())
}

fn is(vif: &VirtualInterface, name: &str) -> bool {
    vif.id == name || vif.name == name
}
