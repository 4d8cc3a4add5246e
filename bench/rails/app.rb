# The same path as in a usual Rails program: a row and a job for each run, two updates, and each change to all who watch.
require "logger"
require "rails"
require "active_record/railtie"
require "action_controller/railtie"
require "active_job/railtie"
require "action_cable/engine"

class Example < Rails::Application
  config.root = ENV.fetch("EXAMPLE_ROOT")
  config.eager_load = true
  config.logger = Logger.new(nil)
  config.secret_key_base = "0" * 64
  config.active_job.queue_adapter = :async
  config.action_cable.mount_path = "/cable"
  config.action_cable.disable_request_forgery_protection = true
  config.action_cable.connection_class = -> { ActionCable::Connection::Base }
  routes.append { resources :process_runs, only: :create }
end

Example.initialize!
ActionCable.server.config.cable = { "adapter" => "async" }

class ProcessRun < ActiveRecord::Base; end

ProcessRun.connection.create_table(:process_runs, force: true) do |t|
  t.string :status, null: false
  t.timestamps
end

class RunJob < ActiveJob::Base
  def perform(run)
    %w[started completed].each do |status|
      run.update!(status: status)
      ActionCable.server.broadcast("process_runs", "<td id=\"process_run_#{run.id}_status\">#{status}</td>")
    end
  end
end

class RunsChannel < ActionCable::Channel::Base
  def subscribed
    stream_from "process_runs"
  end
end

class ProcessRunsController < ActionController::Base
  def create
    count = params.fetch(:count, 10).to_i
    runs = ProcessRun.transaction { Array.new(count) { ProcessRun.create!(status: "created") } }
    runs.each { |run| RunJob.perform_later(run) }
    head :see_other, location: "/process_runs"
  end
end
