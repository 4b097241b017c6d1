//! Reading values and dictionaries: whatever is wrong is a ValueError that names it.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// An integer that must fit `T`.
pub fn fit<T: TryFrom<i64>>(name: &str, value: i64) -> PyResult<T> {
    T::try_from(value).map_err(|_| PyValueError::new_err(format!("{name} is out of range: {value}")))
}

/// A dictionary of known keys.
pub struct Fields<'a, 'py> {
    noun: &'static str,
    dict: &'a Bound<'py, PyDict>,
}

impl<'a, 'py> Fields<'a, 'py> {
    /// ValueError if a key is none of `known`.
    pub fn new(
        noun: &'static str,
        dict: &'a Bound<'py, PyDict>,
        known: &[&str],
    ) -> PyResult<Fields<'a, 'py>> {
        for key in dict.keys() {
            let key = key.cast::<PyString>().map(|key| key.to_string()).unwrap_or_else(|_| format!("{key}"));
            if !known.contains(&key.as_str()) {
                return Err(PyValueError::new_err(format!(
                    "{noun} has no {key:?}; it has {}",
                    known.join(", ")
                )));
            }
        }
        Ok(Fields { noun, dict })
    }

    fn wrong(&self, name: &str, wanted: &str) -> PyErr {
        PyValueError::new_err(format!("{}[{name:?}] must be {wanted}", self.noun))
    }

    /// None if it is absent or None.
    fn get(&self, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.dict.get_item(name)?.filter(|value| !value.is_none()))
    }

    pub fn number<T: TryFrom<i64>>(&self, name: &str, wanted: &str) -> PyResult<Option<T>> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        let number = value.extract::<i64>().ok().and_then(|number| T::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.wrong(name, wanted))
    }

    pub fn text(&self, name: &str) -> PyResult<Option<String>> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        value.extract().map(Some).map_err(|_| self.wrong(name, "a str"))
    }

    /// False if it is absent.
    pub fn flag(&self, name: &str) -> PyResult<bool> {
        let Some(value) = self.get(name)? else { return Ok(false) };
        value.extract().map_err(|_| self.wrong(name, "a bool"))
    }

    pub fn required<T>(&self, name: &str, value: Option<T>) -> PyResult<T> {
        value.ok_or_else(|| PyValueError::new_err(format!("{} lacks {name:?}", self.noun)))
    }
}
