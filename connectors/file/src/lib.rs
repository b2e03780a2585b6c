//! Delivers to a folder: one JSON file for each delivery.
