"""What moto lacks, a module for each service. Each function says why it is needed."""
