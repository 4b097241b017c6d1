//! `sfu._engine`: the engine's face towards Python, as `sfu/_engine.pyi` says.

mod bench;
mod engine;
mod events;
mod fields;
mod specs;
mod taps;

#[pyo3::pymodule]
mod _engine {
    #[pymodule_export]
    use crate::bench::bench_forward;
    #[pymodule_export]
    use crate::engine::Engine;
}
