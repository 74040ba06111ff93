"""Everything that lives under the supervision tree; knows neither HTTP nor the command line."""
