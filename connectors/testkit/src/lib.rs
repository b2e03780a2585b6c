//! Simulated receivers, fault plans and the conformance suite.
