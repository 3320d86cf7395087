"""What tests of several parts share: named requirements, isolation, real processes."""
