"""From a configuration to what runs on AWS: configuration, planning, preflight, packaging, components, readiness."""
