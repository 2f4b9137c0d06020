"""The chaos test that people see, on a VPS that site.yml provisioned: ``make faults TARGET=vps``."""
