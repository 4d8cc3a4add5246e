require_relative "app"
run Example
