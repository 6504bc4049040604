//! Lines and words of a configuration text, without loss.
