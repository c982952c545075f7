// sync_fifo: a first-in first-out buffer of 2**LOG_DEPTH words on one clock.
//
// The first word shows itself: m_data is valid in every cycle in which m_valid is 1.
//
//   s_*    words in:  taken at a rising edge where s_valid and s_ready are 1
//   m_*    words out: given at a rising edge where m_valid and m_ready are 1
//   level  words inside, 0 to 2**LOG_DEPTH
// A word that enters an empty buffer can leave one cycle later.

`default_nettype none

module sync_fifo #(
    parameter WIDTH     = 8,
    parameter LOG_DEPTH = 4
) (
    input  wire               clk,
    input  wire               rst,    // synchronous, active high
    input  wire [WIDTH-1:0]   s_data,
    input  wire               s_valid,
    output wire               s_ready,
    output wire [WIDTH-1:0]   m_data,
    output wire               m_valid,
    input  wire               m_ready,
    output wire [LOG_DEPTH:0] level
);

    reg [WIDTH-1:0] memory [0:(1 << LOG_DEPTH) - 1];

    // One bit more than an address: full and empty differ in it.
    reg [LOG_DEPTH:0] put, get;

    assign level   = put - get;
    assign s_ready = !level[LOG_DEPTH];
    assign m_valid = level != 0;
    assign m_data  = memory[get[LOG_DEPTH-1:0]];

    always @(posedge clk) begin
        if (rst) begin
            put <= 0;
            get <= 0;
        end else begin
            if (s_valid && s_ready)
                put <= put + 1'b1;
            if (m_valid && m_ready)
                get <= get + 1'b1;
        end
    end

    always @(posedge clk)
        if (s_valid && s_ready)
            memory[put[LOG_DEPTH-1:0]] <= s_data;

endmodule

`default_nettype wire
