//! `sfu._engine`: the engine's face towards Python, as `sfu/_engine.pyi` says.

mod bench;
mod engine;
mod events;
mod fields;
mod sources;
mod specs;
mod taps;
mod types;

#[pyo3::pymodule]
mod _engine {
    #[pymodule_export]
    use crate::bench::bench_forward;
    #[pymodule_export]
    use crate::engine::Engine;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::types::add(module)
    }
}
