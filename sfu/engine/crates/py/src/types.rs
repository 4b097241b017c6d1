//! The names of the stub file that only type checkers need, so that importing them works.

use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyString, PyTuple};

use crate::specs::{CODEC_FIELDS, EXTENSION_FIELDS};

pub fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let typed_dict = py.import("typing")?.getattr("TypedDict")?;
    for (name, fields) in [("CodecSpec", &CODEC_FIELDS[..]), ("Extensions", &EXTENSION_FIELDS[..])] {
        let keys = PyDict::new(py);
        for field in fields {
            keys.set_item(field, py.get_type::<PyAny>())?;
        }
        let total = PyDict::new(py);
        total.set_item("total", false)?;
        module.add(name, typed_dict.call((name, keys), Some(&total))?)?;
    }
    for name in ["Event", "TapItem", "TappedPacket"] {
        module.add(name, py.get_type::<PyTuple>())?;
    }
    module.add("Profile", py.get_type::<PyString>())
}
